"""Which tools may be called although nobody asked for them: by their hints and their names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcp_perf.client.protocol.tools import Tool
from mcp_perf.load.survey import words


@dataclass(frozen=True)
class Choice:
    """The names of a server's tools, by what may be done with them."""

    called: Sequence[str]
    doubtful: Sequence[str]
    """Not known to be harmless: called only if somebody says so."""
    never: Sequence[str]
    """Destructive by their own hints, or by name."""


def choose(tools: Mapping[str, Tool], asked: Sequence[str] = ()) -> Choice:
    """Sort tools; if some are asked for, no others are called. A destructive one never is."""
    never = [name for name, tool in tools.items() if is_destructive(tool)]
    rest = [name for name in tools if name not in never]
    called = [name for name in rest if (name in asked if asked else is_harmless(tools[name]))]
    return Choice(called, [name for name in rest if name not in called], never)


def is_destructive(tool: Tool) -> bool:
    """Tell whether a tool may destroy something: it says so, or its name does."""
    if tool.hints.get("destructiveHint") is True and tool.hints.get("readOnlyHint") is not True:
        return True  # the hint has no meaning for a tool that only reads
    return words.holds(tool.name, "destructive")


def is_harmless(tool: Tool) -> bool:
    """Tell whether a tool changes nothing: it says so, or its name begins like that."""
    return tool.hints.get("readOnlyHint") is True or words.begins(tool.name, "harmless")
