"""Where calls go: clients for each arm and for each user."""
