"""Transports that carry all messages on one channel: stdio, HTTP+SSE, in memory."""
