"""Renderings that are written to files."""
