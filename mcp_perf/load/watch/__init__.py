"""What is measured besides the calls: processes, sessions, simulated providers."""
