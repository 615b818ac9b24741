"""Records folded into rounds, and the metrics of rounds."""
