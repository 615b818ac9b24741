"""The one difference between a file and its model: a journey's lists of steps.

In the file, each arm's list stands in the journey under the arm's name, and `steps` serves the arms
that have none. In the model, `steps` holds one list per arm.
"""

from collections.abc import Container, Iterator, Mapping
from typing import Any, Final

from mcp_perf.scenario.model.syntax import JOURNEY_KEYS
from mcp_perf.scenario.problems.finding import Finding, Path
from mcp_perf.scenario.problems.suggestions import suggest
from mcp_perf.scenario.problems.wording import one_of

MOST_ARMS: Final = 16
MOST_JOURNEYS: Final = 100
MOST_GATES: Final = 100
MOST_STEPS: Final = 1000
MOST_EXPRESSIONS: Final = 1000
MOST_LOOKUPS: Final = 2000


def mapping(tree: Any, key: str) -> dict[str, Any]:
    """Return the mapping under a key, or an empty one where the file holds something else."""
    value = tree.get(key) if isinstance(tree, Mapping) else None
    return value if isinstance(value, dict) else {}


def arrange(tree: Any) -> tuple[Any, list[Finding]]:
    """Return the tree as the model has it, and what is wrong with the journeys' keys."""
    if not isinstance(tree, dict) or not isinstance(tree.get("journeys"), dict):
        return tree, []
    arms = [arm for arm in mapping(tree, "arms") if arm not in JOURNEY_KEYS]
    findings: list[Finding] = []
    journeys = {}
    for name, journey in tree["journeys"].items():
        if isinstance(journey, dict):
            findings += _key_findings(name, journey, arms)
            journeys[name] = _arranged(journey, arms)
        else:
            journeys[name] = journey
    return {**tree, "journeys": journeys}, findings


def _arranged(journey: dict[str, Any], arms: list[str]) -> dict[str, Any]:
    settings: dict[str, Any] = {
        key: journey[key] for key in JOURNEY_KEYS if key in journey and key != "steps"
    }
    lists = {arm: journey.get(arm, journey.get("steps")) for arm in arms}
    steps = {arm: steps for arm, steps in lists.items() if arm in journey or "steps" in journey}
    return {**settings, "steps": steps}


def _key_findings(name: str, journey: dict[str, Any], arms: list[str]) -> Iterator[Finding]:
    path: Path = ("journeys", name)
    if not arms:
        return
    allowed = [*JOURNEY_KEYS, *arms]
    unknown = [key for key in journey if key not in allowed]
    for key in unknown:
        hint = suggest(key, allowed)
        message = f"journey {name}: {key!r} is neither an arm nor a key of journeys"
        yield Finding((*path, key), message, hint)
    missing = [arm for arm in arms if arm not in journey]
    if "steps" in journey and not missing:
        message = f"journey {name}: steps is used by no arm, as each has its own list"
        yield Finding((*path, "steps"), message, "remove it")
    if "steps" not in journey and missing and not unknown:
        message = f"journey {name}: no steps for {one_of(missing).replace(' or ', ' and ')}"
        hint = f"add {missing[0]}: with a list of steps, or steps: for all arms"
        yield Finding(path, message, hint)


def written(path: Path, lines: Container[Path]) -> Path:
    """Turn a path in the model into the path in the file."""
    if path[:1] != ("journeys",) or len(path) < 4 or path[2] != "steps":
        return path
    own = (*path[:2], path[3])
    return (*(own if own in lines else path[:3]), *path[4:])


def oversize(tree: Any, text: str) -> Finding | None:
    """Return what there is too much of: caps that keep every check of a hostile file short."""
    journeys = mapping(tree, "journeys")
    gates = tree.get("gates") if isinstance(tree, dict) else None
    steps = list(_steps(journeys))
    expressions = sum(
        len(mapping(step, "save")) + len(mapping(mapping(step, "expect"), "equals"))
        for step in steps
    )
    counts: tuple[tuple[Path, int, int, str], ...] = (
        (("arms",), len(mapping(tree, "arms")), MOST_ARMS, "arms"),
        (("journeys",), len(journeys), MOST_JOURNEYS, "journeys"),
        (("gates",), len(gates) if isinstance(gates, list) else 0, MOST_GATES, "gates"),
        (("journeys",), len(steps), MOST_STEPS, "steps"),
        (("journeys",), expressions, MOST_EXPRESSIONS, "saves and expectations"),
        ((), text.count("${"), MOST_LOOKUPS, "lookups"),
    )
    for path, count, most, what in counts:
        if count > most:
            return Finding(path, f"{count} {what}", f"write at most {most}, in several files")
    return None


def _steps(journeys: dict[str, Any]) -> Iterator[Any]:
    for name in journeys:
        for steps in mapping(mapping(journeys, name), "steps").values():
            yield from _nested(steps)


def _nested(steps: Any) -> Iterator[Any]:
    for step in steps if isinstance(steps, list) else []:
        yield step
        yield from _nested(step.get("parallel") if isinstance(step, dict) else None)
