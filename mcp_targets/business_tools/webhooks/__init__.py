"""Webhooks: out, signed and retried; and in, with signatures checked, each once."""
