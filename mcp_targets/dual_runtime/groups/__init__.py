"""The tools in groups, each a method with metadata."""
