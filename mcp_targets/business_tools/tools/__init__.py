"""The ten tools: a model of the arguments each, and what it asks of whom."""
