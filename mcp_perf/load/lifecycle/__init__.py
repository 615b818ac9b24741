"""What a Locust process does in a run: alone, as the master, or as a worker."""
