"""The engine: what is run, how load is made, what came out of it."""
