"""The calibration system: a tiny, fast server, hand-written, the same tools as MCP and as REST."""
