"""What stands around every tool: metadata, registry, routing, enforcement."""
