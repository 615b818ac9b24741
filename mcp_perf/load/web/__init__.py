"""Locust's web page: our form, and who may use it."""
