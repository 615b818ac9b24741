"""How much a file may hold: caps that keep every check of a hostile file short."""

from collections.abc import Iterator
from typing import Any, Final

from mcp_perf.scenario.problems.mistake import Mistake, Path

MOST_ARMS: Final = 16
MOST_JOURNEYS: Final = 100
MOST_GATES: Final = 100
MOST_STEPS: Final = 1000
MOST_EXPRESSIONS: Final = 1000
MOST_LOOKUPS: Final = 2000


def oversize(tree: Any, text: str) -> Mistake | None:
    """Return what a file has too much of, before anything else is checked."""
    journeys = _mapping(tree, "journeys")
    gates = tree.get("gates") if isinstance(tree, dict) else None
    steps = [step for name in journeys for step in _steps(_mapping(journeys, name).values())]
    expressions = sum(len(_mapping(step, "save")) for step in steps)
    expressions += sum(
        len(expected) if isinstance(expected, dict | list) else 1
        for step in steps
        for expected in _mapping(step, "expect").values()
    )
    counts: tuple[tuple[Path, int, int, str], ...] = (
        (("arms",), len(_mapping(tree, "arms")), MOST_ARMS, "arms"),
        (("journeys",), len(journeys), MOST_JOURNEYS, "journeys"),
        (("gates",), len(gates) if isinstance(gates, list) else 0, MOST_GATES, "gates"),
        (("journeys",), len(steps), MOST_STEPS, "steps"),
        (("journeys",), expressions, MOST_EXPRESSIONS, "saves and expectations"),
        ((), text.count("${"), MOST_LOOKUPS, "values ${…}"),
    )
    for path, count, most, what in counts:
        if count > most:
            hint = f"write at most {most}; split the scenario into several files"
            return Mistake(path, f"{count} {what}", hint)
    return None


def _steps(lists: Any) -> Iterator[Any]:
    for listed in lists:
        for step in listed if isinstance(listed, list) else []:
            yield step
            yield from _steps([step.get("parallel")] if isinstance(step, dict) else [])


def _mapping(tree: Any, key: str) -> dict[str, Any]:
    value = tree.get(key) if isinstance(tree, dict) else None
    return value if isinstance(value, dict) else {}
