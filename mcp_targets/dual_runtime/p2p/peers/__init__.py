"""Peers: discovery, bootstrap, addresses."""
