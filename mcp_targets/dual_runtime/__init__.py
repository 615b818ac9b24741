"""One tool set on two runtimes: an asyncio server that bridges, and a Trio server that does not."""
