"""WHAT is called: the bundled systems, their tools and their simulated providers."""
