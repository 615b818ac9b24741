"""A run against earlier ones."""
