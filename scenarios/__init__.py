"""WHAT to run: scenario files, their model, their lookups and their gates."""
