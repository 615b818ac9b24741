"""Benchmarks under pytest: sides measured by turns, judged and reported like the arms of a run."""
