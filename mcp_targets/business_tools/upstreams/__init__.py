"""Providers: what they offer, and how one is asked through all the mechanisms."""
