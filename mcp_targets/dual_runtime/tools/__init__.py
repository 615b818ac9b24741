"""The tools: thin, each a method with metadata."""
