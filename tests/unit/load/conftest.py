"""Scripted servers, as the tests of the client have them."""

from tests.unit.client.conftest import serve

__all__ = ["serve"]
