"""The scenario as a model."""
