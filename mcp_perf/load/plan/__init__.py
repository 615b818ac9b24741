"""When calls are made: turns, levels and arrivals, as pure functions of the load."""
