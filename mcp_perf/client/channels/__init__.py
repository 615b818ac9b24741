"""Transports on which all messages go one way: stdio, HTTP+SSE, in memory."""
