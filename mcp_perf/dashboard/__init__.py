"""The dashboard: pages over all runs of a store, and their tables for programs."""
