"""Renderings of one finished document; no rendering computes a number of its own."""
