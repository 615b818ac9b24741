"""The model's complaints, in the words of the file."""

from collections.abc import Container
from itertools import islice
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mcp_perf.scenario.model.answers import Answers, Auth, Complete, Elicitation, OAuth, Sampling
from mcp_perf.scenario.model.identities import Identities, Provision
from mcp_perf.scenario.model.listening import Await
from mcp_perf.scenario.model.load import Load, Stage
from mcp_perf.scenario.model.scenario import Arm, Expect, Journey, Limits, Scenario, Step
from mcp_perf.scenario.model.tls import Tls
from mcp_perf.scenario.problems.finding import Finding, Path, dotted
from mcp_perf.scenario.problems.problem import MOST_SHOWN
from mcp_perf.scenario.problems.suggestions import suggest
from mcp_perf.scenario.problems.wording import InputError, one_of, quote
from mcp_perf.scenario.source.layout import written

_ANY: Final = None
_STEP: Final = ("journeys", _ANY, "steps", _ANY, _ANY)
_MODELS: Final[tuple[tuple[tuple[str | None, ...], type[BaseModel]], ...]] = (
    ((), Scenario),
    (("identities",), Identities),
    (("identities", "provision"), Provision),
    (("identities", "provision", "tls"), Tls),
    (("arms", _ANY), Arm),
    (("arms", _ANY, "tls"), Tls),
    (("journeys", _ANY), Journey),
    (_STEP, Step),
    ((*_STEP, "expect"), Expect),
    ((*_STEP, "complete"), Complete),
    ((*_STEP, "await"), Await),
    ((*_STEP, "answers"), Answers),
    ((*_STEP, "answers", "elicitation"), Elicitation),
    ((*_STEP, "answers", "sampling"), Sampling),
    (("journeys", _ANY, "answers"), Answers),
    (("journeys", _ANY, "answers", "elicitation"), Elicitation),
    (("journeys", _ANY, "answers", "sampling"), Sampling),
    (("arms", _ANY, "auth"), Auth),
    (("arms", _ANY, "auth", "oauth"), OAuth),
    (("load",), Load),
    (("load", "stages", _ANY), Stage),
    (("limits",), Limits),
)
"""Where each part of the model stands."""

_WANTED: Final = {
    "string_type": ("a text", "write it in quotes"),
    "int_type": ("a whole number", "write it like 20"),
    "float_type": ("a number", "write it like 20 or 0.5"),
    "finite_number": ("a number", "write it like 20 or 0.5"),
    "bool_type": ("true or false", "write true or false"),
    "dict_type": ("a mapping", "write KEY: VALUE, one a line"),
    "model_type": ("a mapping", "write KEY: VALUE, one a line"),
    "list_type": ("a list", "start each line with a dash"),
    "tuple_type": ("a list", "start each line with a dash, or write [a, b]"),
}
_BOUNDS: Final = {
    "greater_than": ("gt", "write more than {}"),
    "greater_than_equal": ("ge", "write at least {}"),
    "less_than_equal": ("le", "write at most {}"),
}
_MISSING: Final = {
    "name": "write name: my-scenario",
    "arms": "write arms: {mcp: {mcp: http://127.0.0.1:8000/mcp}}",
    "journeys": "write journeys: and what a user does",
}


def validate(tree: Any, lines: Container[Path]) -> tuple[Scenario | None, list[Finding]]:
    """Build the scenario from an arranged tree, or say all that is wrong with its values."""
    try:
        return Scenario.model_validate(tree), []
    except ValidationError as error:
        # A list whose items are all wrong also counts as too short; only an empty one is.
        details = (
            detail
            for detail in error.errors(include_url=False)
            if detail["type"] != "too_short" or not detail["input"]
        )
        return None, [_finding(detail, lines) for detail in islice(details, MOST_SHOWN + 1)]


def _finding(error: ErrorDetails, lines: Container[Path]) -> Finding:
    location: Path = tuple(part for part in error["loc"] if part != "[key]")
    path = written(location, lines)
    message, hint = _words(error, location)
    where = path[:-1] if error["type"] in ("missing", "extra_forbidden") else path
    prefix = f"{dotted(where)}: " if where else ""
    return Finding(path, prefix + message, hint)


def _words(error: ErrorDetails, location: Path) -> tuple[str, str]:
    kind, context = error["type"], error.get("ctx", {})
    value = quote(error["input"])
    if kind == "value_error" and isinstance(context["error"], InputError):
        return context["error"].message, context["error"].hint
    if kind == "missing":
        key = str(location[-1])
        return f"{key} is missing", _MISSING.get(key, f"add {key}")
    if kind == "extra_forbidden":
        key = str(location[-1])
        return f"unknown key {quote(key)}", suggest(key, _keys(location[:-1]))
    if kind == "literal_error":
        known = context["expected"].lower().replace("'", "").replace(" or ", ", ").split(", ")
        return f"{value} is not known here", f"write {one_of(known)}"
    if kind in _BOUNDS:
        name, hint = _BOUNDS[kind]
        return f"{value} is out of range", hint.format(f"{context[name]:g}")
    if kind in ("too_short", "string_too_short"):
        return f"{value} is empty", "write at least one"
    what, hint = _WANTED.get(kind, ("what belongs here", error["msg"]))
    return f"{value} is not {what}", hint


def _keys(location: Path) -> list[str]:
    while "parallel" in location:  # steps within a step
        at = location.index("parallel")
        location = (*location[:at], *location[at + 2 :])
    model = next(
        model
        for pattern, model in _MODELS
        if len(pattern) == len(location)
        and all(wanted in (_ANY, part) for wanted, part in zip(pattern, location, strict=True))
    )
    return [field.alias or name for name, field in model.model_fields.items()]
