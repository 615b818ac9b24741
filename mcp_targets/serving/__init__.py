"""What the servers of all systems share."""
