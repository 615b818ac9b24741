"""Statistics; they know nothing of calls."""
