"""Which bundled systems there are; start and stop them."""
