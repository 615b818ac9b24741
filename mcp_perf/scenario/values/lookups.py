"""`compile_template`, under the name by which some still know it."""

from mcp_perf.scenario.values.templates import compile_template

__all__ = ["compile_template"]
