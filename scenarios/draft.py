"""What of a file is valid by itself, so that one mistake does not hide the next."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from scenarios.gates import Gate, GateError, parse
from scenarios.layout import mapping, written
from scenarios.model import Arm, Step
from scenarios.names import ParsedStep
from scenarios.problems import Path

_Part = TypeVar("_Part", bound=BaseModel)


@dataclass(frozen=True)
class DraftJourney:
    """A journey: its generators as written, and its steps as far as they are valid."""

    path: Path
    with_: dict[str, Any]
    steps: dict[str, list[ParsedStep]]


@dataclass(frozen=True)
class Draft:
    """A scenario's valid parts, with the paths where they are written."""

    arms: dict[str, Arm | None]
    """None for an arm that is named, but not valid."""
    journeys: list[DraftJourney]
    gates: list[tuple[Path, Gate]]
    vars: dict[str, Any]
    env: Mapping[str, str]
    """The allow-listed variables; an empty text for one that is not set."""
    base: FilePath


def draft(tree: Any, lines: Mapping[Path, int], env: Mapping[str, str], base: FilePath) -> Draft:
    """Pick the valid parts out of an arranged tree."""
    gates = tree.get("gates") if isinstance(tree, dict) else None
    return Draft(
        arms={name: _valid(Arm, arm) for name, arm in mapping(tree, "arms").items()},
        journeys=[
            _journey(name, journey, lines)
            for name, journey in mapping(tree, "journeys").items()
            if isinstance(journey, dict)
        ],
        gates=[
            (("gates", index), gate)
            for index, text in enumerate(gates if isinstance(gates, list) else [])
            if (gate := _gate(text))
        ],
        vars=mapping(tree, "vars"),
        env=env,
        base=base,
    )


def _journey(name: str, journey: dict[str, Any], lines: Mapping[Path, int]) -> DraftJourney:
    steps: dict[str, list[ParsedStep]] = {}
    for arm, listed in mapping(journey, "steps").items():
        path = written(("journeys", name, "steps", arm), lines)
        steps[arm] = [
            ((*path, index), _valid(Step, step), frozenset(mapping(step, "save")))
            for index, step in enumerate(listed if isinstance(listed, list) else [])
        ]
    return DraftJourney(("journeys", name), mapping(journey, "with"), steps)


def _valid(model: type[_Part], tree: Any) -> _Part | None:
    try:
        return model.model_validate(tree)
    except ValidationError:
        return None


def _gate(text: Any) -> Gate | None:
    try:
        return parse(text) if isinstance(text, str) else None
    except GateError:
        return None
