"""Which tools may be called without anybody having written so: by their hints and their names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mcp_perf.client.protocol.tools import Tool
from mcp_perf.load.survey.words import split

HARMLESS: Final = (
    "add ask calc calculate check compare compute convert count current describe detect echo "
    "estimate explain fetch find format get greet hello help info inspect is list lookup measure "
    "multiply parse ping query read retrieve search show status subtract sum summarize time "
    "translate validate verify view weather whoami"
)
"""Words that the name of a tool begins with that changes nothing, or adds to it at most."""
DESTRUCTIVE: Final = (
    "cancel clear close delete destroy disable discard drop empty erase evict exit expire flush "
    "kill overwrite pay prune purge quit reboot refund remove reset revert revoke rm rollback "
    "shutdown stop terminate transfer trash truncate uninstall unlink unpublish wipe withdraw"
)
"""Words that no name holds of a tool that is called here."""


@dataclass(frozen=True)
class Choice:
    """The names of a server's tools, by what may be done with them."""

    called: Sequence[str]
    doubtful: Sequence[str]
    """Not known to be harmless: called only if somebody says so."""
    never: Sequence[str]
    """Destructive by what they say of themselves, or by name."""


def choose(tools: Mapping[str, Tool], asked: Sequence[str] = ()) -> Choice:
    """Sort tools; if some are asked for, no others are called. A destructive one never is."""
    never = [name for name, tool in tools.items() if is_destructive(tool)]
    rest = [name for name in tools if name not in never]
    called = [name for name in rest if (name in asked if asked else is_harmless(tools[name]))]
    return Choice(called, [name for name in rest if name not in called], never)


def is_destructive(tool: Tool) -> bool:
    """Tell whether a tool may destroy something: it says so, or its name does."""
    if tool.hints.get("destructiveHint") is True and tool.hints.get("readOnlyHint") is not True:
        return True  # of what only reads the hint has no meaning
    return not set(DESTRUCTIVE.split()).isdisjoint(split(tool.name))


def is_harmless(tool: Tool) -> bool:
    """Tell whether a tool changes nothing: it says so, or its name begins like that."""
    begins = split(tool.name)[:1]
    return tool.hints.get("readOnlyHint") is True or not set(HARMLESS.split()).isdisjoint(begins)
