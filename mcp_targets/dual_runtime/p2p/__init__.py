"""Peer-to-peer state: tasks, workers, workflows, peers, bootstrap."""
