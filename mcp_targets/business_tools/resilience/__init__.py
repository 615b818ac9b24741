"""What keeps a server well when its providers are not: each mechanism separately."""
