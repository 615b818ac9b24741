"""The upstream simulator plays third-party providers, each from a declarative file."""
