"""What a node with users needs to know, carried by Locust's own options from master to workers.

Locust sends `parsed_options` to its workers before their test starts. Secrets stay out of it: every
worker reads them from its own environment.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from locustfiles._prepare import Prepared, choose
from locustfiles._targets import ArmTarget, reach
from scenarios.loader import Loaded, load_text

OPTION: Final = "mcp_perf_task"


@dataclass(frozen=True, slots=True)
class Task:
    """A scenario and its targets, and among how many nodes the users are spread."""

    loaded: Loaded
    targets: dict[str, ArmTarget]
    nodes: int
    users: int
    """At the highest level, all nodes together."""


class _Message(msgspec.Struct):
    text: str
    source: str
    base: str
    settings: list[str]
    arms: list[str]
    tags: list[str]
    excluded_tags: list[str]
    targets: dict[str, tuple[str, str, dict[str, Any]]]
    nodes: int
    users: int


def local(prepared: Prepared) -> Task:
    """Return the task of the only node."""
    return Task(prepared.loaded, prepared.targets, 1, prepared.users)


def send(prepared: Prepared, options: Any, nodes: int) -> None:
    """Put the task where Locust hands it to the workers."""
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


def receive(options: Any) -> Task:
    """Read the task in a worker and reach its targets. Raises Refusal."""
    message = msgspec.json.decode(getattr(options, OPTION), type=_Message)
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
    return Task(loaded, targets, message.nodes, message.users)
