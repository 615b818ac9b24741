"""The commands that read results that exist."""
