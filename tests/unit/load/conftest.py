"""Scripted servers, as in the tests of the client."""

from tests.unit.client.conftest import serve

__all__ = ["serve"]
