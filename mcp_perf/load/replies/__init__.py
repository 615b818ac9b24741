"""Replies: checked, looked at, and shown."""
