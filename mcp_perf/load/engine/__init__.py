"""The run: its turns, its users, its life cycle."""
