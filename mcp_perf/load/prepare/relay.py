"""What a node with users needs to know, sent with Locust's own options from master to workers.

Locust sends `parsed_options` to its workers before their test starts. Secrets are not in them:
every worker reads them from its environment and files, and gets the identities of its users.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from mcp_perf.load.hub.neighbours import Neighbours
from mcp_perf.load.hub.redaction import hide
from mcp_perf.load.prepare.identities import settle
from mcp_perf.load.prepare.prepare import Prepared, choose
from mcp_perf.load.targets import confidential
from mcp_perf.load.targets.personal import NOBODY, Identity
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.load.targets.targets import ArmTarget, reach
from mcp_perf.scenario.loader import Loaded, ScenarioError, load_text

OPTION: Final = "mcp_perf_task"


@dataclass(frozen=True, slots=True)
class Task:
    """A scenario with its targets, and this node's part in it."""

    loaded: Loaded
    targets: dict[str, ArmTarget]
    users: int
    """At the highest level, of all nodes together."""
    node: int = 0
    """This node's number among all, from 0."""
    nodes: int = 1
    identities: Sequence[Identity] = ()
    """Of the users of this node."""
    meeting: str = ""
    """The folder where the nodes of the master's machine meet in an open load."""

    def neighbours(self) -> Neighbours | None:
        """Join the other nodes of this machine; None if there are none.

        A replay has none, either: only one node knows the journey of a session.
        """
        folder = Path(self.meeting)
        here = self.meeting and folder.is_dir() and self.loaded.replay is None
        return Neighbours(folder, self.node, self.nodes) if here else None


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
    logs: str
    meeting: str
    run: str


def local(prepared: Prepared) -> Task:
    """Return the task of the only node."""
    return Task(prepared.loaded, prepared.targets, prepared.users, identities=prepared.identities)


def send(prepared: Prepared, options: Any, nodes: list[str], meeting: str = "") -> None:
    """Put the task into the options that Locust sends to workers, whose names are `nodes`."""
    loaded = prepared.loaded
    message = _Message(
        text=loaded.text,
        source=loaded.source,
        base=str(loaded.base),
        settings=list(prepared.options.settings),
        arms=list(prepared.options.arms),
        tags=list(prepared.options.tags),
        excluded_tags=list(prepared.options.excluded_tags),
        targets={
            name: (target.url, target.version, _provided(loaded, target))
            for name, target in prepared.targets.items()
        },
        nodes=nodes,
        users=prepared.users,
        logs=str(prepared.logs.resolve()),
        meeting=meeting,
        run=prepared.run,
    )
    setattr(options, OPTION, msgspec.json.encode(message).decode())


def _provided(loaded: Loaded, target: ArmTarget) -> dict[str, Any]:
    """Return the variables that workers cannot find. They evaluate `vars` in their environment."""
    own = {**loaded.scenario.vars, **loaded.scenario.arms[target.arm].vars}
    return {name: value for name, value in target.variables.items() if name not in own}


def receive(options: Any, name: str) -> Task:
    """Read the task in this worker, reach its targets, settle who its users are. Raises Refusal."""
    message = msgspec.json.decode(getattr(options, OPTION), type=_Message)
    try:
        loaded = load_text(
            message.text, message.source, Path(message.base), message.settings, arms=message.arms
        )
    except ScenarioError as error:  # such as a variable or a file that only the master has
        raise Refusal(*(str(problem) for problem in error.problems)) from error
    urls = (url for url, _, _ in message.targets.values())
    hide(confidential.of_run(loaded, message.settings, urls))
    loaded = choose(loaded, message.tags, message.excluded_tags)
    logs = Path(message.logs) if Path(message.logs).parent.is_dir() else None  # the same machine
    node, nodes = message.nodes.index(name), len(message.nodes)
    identities = settle(loaded, message.users, message.run, slice(node, None, nodes))
    own = next(iter(identities), NOBODY)
    targets = {
        arm: reach(arm, loaded, url, variables, version, logs=logs, identity=own)
        for arm, (url, version, variables) in message.targets.items()
    }
    return Task(loaded, targets, message.users, node, nodes, identities, message.meeting)
