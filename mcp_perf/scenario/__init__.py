"""What to run: the scenario file, read and checked."""
