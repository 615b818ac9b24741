"""A tool server that a company could run; each of its mechanisms can be switched off."""
