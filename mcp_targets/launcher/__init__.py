"""The bundled systems: list, start and stop them."""
