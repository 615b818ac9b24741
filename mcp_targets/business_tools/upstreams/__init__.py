"""Providers: what they offer, and how a request reaches one through all the mechanisms."""
