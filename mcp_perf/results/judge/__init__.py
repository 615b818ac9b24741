"""Gates, capacity, verdict."""
