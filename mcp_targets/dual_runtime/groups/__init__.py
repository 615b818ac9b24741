"""The tools in groups: thin, each a method with metadata."""
