"""The document is shown; no rendering computes a number."""
