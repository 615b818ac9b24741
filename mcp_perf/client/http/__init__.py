"""Bytes: one connection, one exchange, plain HTTP calls."""
