"""Workflows: graph, engine, diagrams."""
