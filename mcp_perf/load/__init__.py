"""How load is made, on Locust."""
