"""What a Locust process does in a run, as the only one, as the master, or as a worker."""
