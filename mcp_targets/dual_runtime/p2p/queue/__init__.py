"""Tasks: queue, workers, the work itself."""
