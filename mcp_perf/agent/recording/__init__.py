"""The recorder between an agent and a server, and the scenario that a recording makes."""
