"""What the model alone cannot refuse."""
