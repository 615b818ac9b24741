"""What is called: steps and journeys that are ready to run, and their record."""
