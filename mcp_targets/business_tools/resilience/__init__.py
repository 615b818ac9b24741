"""The mechanisms that keep a server healthy when its providers are not, one per module."""
