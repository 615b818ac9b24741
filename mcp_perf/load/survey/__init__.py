"""What is learned of a server, and the scenario that is made from it."""
