"""When: turns, levels and arrivals, as pure functions of the load."""
