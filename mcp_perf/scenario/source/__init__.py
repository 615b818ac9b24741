"""The text of a file: YAML, lines, settings from the command line."""
