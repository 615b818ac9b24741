"""What is learned about a server, and the scenario that is made from it."""
