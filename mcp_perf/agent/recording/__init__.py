"""The recorder between an agent and a server, and the scenario made from a recording."""
