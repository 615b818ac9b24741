"""What surrounds every tool: metadata, registry, routing, enforcement."""
