"""What a node with users needs to know, carried by Locust's own options from master to workers.

Locust sends `parsed_options` to its workers before their test starts. Secrets stay out of it: every
worker reads them from its own environment.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from locustfiles._prepare import Prepared, choose
from locustfiles._refusal import Refusal
from locustfiles._targets import ArmTarget, reach
from scenarios.loader import Loaded, load_text

OPTION: Final = "mcp_perf_task"
TOO_LATE: Final = 92
"""Its share of the load is missing, as that of a lost worker."""


@dataclass(frozen=True, slots=True)
class Task:
    """A scenario and its targets, and this node's part in it."""

    loaded: Loaded
    targets: dict[str, ArmTarget]
    users: int
    """At the highest level, all nodes together."""
    node: int = 0
    """This node's place among all, from 0."""
    nodes: int = 1


class _Message(msgspec.Struct):
    text: str
    source: str
    base: str
    settings: list[str]
    arms: list[str]
    tags: list[str]
    excluded_tags: list[str]
    targets: dict[str, tuple[str, str, dict[str, Any]]]
    nodes: list[str]
    users: int


def local(prepared: Prepared) -> Task:
    """Return the task of the only node."""
    return Task(prepared.loaded, prepared.targets, prepared.users)


def send(prepared: Prepared, options: Any, nodes: list[str]) -> None:
    """Put the task where Locust hands it to the workers; `nodes` are their names, in order."""
    loaded = prepared.loaded
    message = _Message(
        text=loaded.text,
        source=loaded.source,
        base=str(loaded.base),
        settings=list(prepared.wish.settings),
        arms=list(prepared.wish.arms),
        tags=list(prepared.wish.tags),
        excluded_tags=list(prepared.wish.excluded_tags),
        targets={
            name: (target.url, target.version, dict(target.variables))
            for name, target in prepared.targets.items()
        },
        nodes=nodes,
        users=prepared.users,
    )
    setattr(options, OPTION, msgspec.json.encode(message).decode())


def receive(options: Any, name: str) -> Task:
    """Read the task in the worker of this name and reach its targets. Raises Refusal."""
    message = msgspec.json.decode(getattr(options, OPTION), type=_Message)
    if name not in message.nodes:
        raise Refusal(TOO_LATE, [f"worker {name} came when the run had begun: start workers first"])
    loaded = load_text(
        message.text,
        message.source,
        Path(message.base),
        message.settings,
        arms=message.arms,
    )
    loaded = choose(loaded, message.tags, message.excluded_tags)
    targets = {
        name: reach(name, loaded.scenario.arms[name], loaded, url, variables, version)
        for name, (url, version, variables) in message.targets.items()
    }
    node = message.nodes.index(name)
    return Task(loaded, targets, message.users, node, len(message.nodes))
