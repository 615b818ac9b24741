"""The document is filled."""
