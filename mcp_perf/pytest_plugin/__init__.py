"""pytest-benchmark with arms, gates and reports."""
