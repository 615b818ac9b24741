"""Webhooks: outgoing ones are signed and retried, incoming ones are verified and taken once."""
