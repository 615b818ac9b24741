"""The bundled systems under test; they share no code with the client."""
