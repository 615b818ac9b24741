"""The calibration system: a tiny, fast, hand-written server of the same tools by MCP and REST."""
