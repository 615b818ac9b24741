"""Renderings for a terminal and for the job of a CI."""
