"""HOW load is made: the only folder that imports Locust."""
