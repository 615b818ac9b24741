"""A file's parts as they are written, so that one mistake does not hide the next."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from mcp_perf.scenario.checks.names import WrittenStep
from mcp_perf.scenario.model.gates import Gate, GateError, parse
from mcp_perf.scenario.model.scenario import Arm
from mcp_perf.scenario.problems.finding import Path
from mcp_perf.scenario.source.layout import mapping, written


@dataclass(frozen=True)
class DraftArm:
    """An arm as written, and its target if that can be told."""

    keys: dict[str, Any]
    kind: str
    """`http`, `mcp` or `python`; empty where the arm does not say."""
    provides: bool
    """True if the target may bring names of its own, which are known only once it runs."""


@dataclass(frozen=True)
class DraftJourney:
    """A journey as written."""

    path: Path
    with_: dict[str, Any]
    steps: dict[str, list[WrittenStep]]


@dataclass(frozen=True)
class Draft:
    """What of a scenario has the right shape to be checked."""

    arms: dict[str, DraftArm]
    journeys: list[DraftJourney]
    gates: list[tuple[Path, Gate]]
    layers: list[Any]
    """As written."""
    shape: Any
    """Of the load, as written; `stages` where it has some."""
    vars: dict[str, Any]
    identities: dict[str, Any] | None
    """As written; None where there are none."""
    env: Mapping[str, str]
    """The allow-listed variables; an empty text for one that is not set."""
    base: FilePath


def draft(tree: Any, lines: Mapping[Path, int], env: Mapping[str, str], base: FilePath) -> Draft:
    """Pick the parts out of an arranged tree."""
    gates, layers = (
        value if isinstance(tree, dict) and isinstance(value := tree.get(key), list) else []
        for key in ("gates", "layers")
    )
    arms, journeys = mapping(tree, "arms"), mapping(tree, "journeys")
    return Draft(
        arms={name: _arm(mapping(arms, name)) for name in arms},
        journeys=[_journey(name, mapping(journeys, name), lines) for name in journeys],
        gates=[
            (("gates", index), gate) for index, text in enumerate(gates) if (gate := _gate(text))
        ],
        layers=layers,
        shape="stages" if "stages" in (load := mapping(tree, "load")) else load.get("shape"),
        vars=mapping(tree, "vars"),
        identities=mapping(tree, "identities") or None,
        env=env,
        base=base,
    )


def _arm(keys: dict[str, Any]) -> DraftArm:
    try:
        # Only the target: an arm with a bad header still says what it speaks.
        arm = Arm.model_validate(
            {key: keys[key] for key in ("http", "mcp", "python") if key in keys}
        )
    except ValidationError:
        return DraftArm(keys, "", provides=True)
    return DraftArm(keys, arm.kind, provides=arm.address.startswith("system:"))


def _journey(name: str, journey: dict[str, Any], lines: Mapping[Path, int]) -> DraftJourney:
    steps: dict[str, list[WrittenStep]] = {}
    for arm, listed in mapping(journey, "steps").items():
        path = written(("journeys", name, "steps", arm), lines)
        steps[arm] = [
            ((*path, index), step if isinstance(step, dict) else {})
            for index, step in enumerate(listed if isinstance(listed, list) else [])
        ]
    return DraftJourney(("journeys", name), mapping(journey, "with"), steps)


def _gate(text: Any) -> Gate | None:
    try:
        return parse(text) if isinstance(text, str) else None
    except GateError:
        return None
