"""The model's complaints, in the words of the file."""

from itertools import islice
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mcp_perf.scenario.model.fields import DRAFT, Part
from mcp_perf.scenario.model.kinds import misplaced
from mcp_perf.scenario.model.scenario import Scenario
from mcp_perf.scenario.model.steps import Step
from mcp_perf.scenario.problems.mistake import Mistake, Path, dotted
from mcp_perf.scenario.problems.problem import MOST_SHOWN
from mcp_perf.scenario.problems.wording import InputError, one_of, quote

_WANTED: Final = {
    "string_type": ("a text", "write it in quotes"),
    "int_type": ("a whole number", "write it like 20"),
    "float_type": ("a number", "write it like 20 or 0.5"),
    "finite_number": ("a number", "write it like 20 or 0.5"),
    "bool_type": ("true or false", "write true or false"),
    "dict_type": ("a mapping", "write KEY: VALUE, one per line"),
    "model_type": ("a mapping", "write KEY: VALUE, one per line"),
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
    "journeys": "write journeys: with the steps of a user",
}


def validate(tree: Any) -> tuple[Scenario, list[Mistake]]:
    """Build the scenario, or a draft of it, with all that is wrong with its values."""
    try:
        return Scenario.model_validate(tree), []
    except ValidationError as error:
        # A list whose items are all wrong also counts as too short; only an empty one is.
        details = (
            detail
            for detail in error.errors(include_url=False)
            if detail["type"] != "too_short" or not detail["input"]
        )
        draft = Scenario.model_validate(tree, context=DRAFT)
        return draft, [_mistake(detail, draft) for detail in islice(details, MOST_SHOWN + 1)]


def _mistake(error: ErrorDetails, draft: Scenario) -> Mistake:
    path: Path = tuple(part for part in error["loc"] if part != "[key]")
    message, hint = _words(error, path, draft)
    where = path[:-1] if error["type"] in ("missing", "extra_forbidden") else path
    prefix = f"{dotted(where)}: " if where else ""
    damaged = error["type"] in ("model_type", "dict_type", "tuple_type")
    return Mistake(path, prefix + message, hint, damaged=damaged)


def _words(error: ErrorDetails, path: Path, draft: Scenario) -> tuple[str, str]:
    kind, context = error["type"], error.get("ctx", {})
    value = quote(error["input"])
    if kind == "value_error" and isinstance(context["error"], InputError):
        return context["error"].message, context["error"].hint
    if kind == "missing":
        key = str(path[-1])
        return f"{key} is missing", _MISSING.get(key, f"add {key}")
    if kind == "extra_forbidden":
        unknown = _unknown(draft, path)
        return unknown.message, unknown.hint
    if kind == "literal_error":
        known = context["expected"].lower().replace("'", "").replace(" or ", ", ").split(", ")
        return f"{value} is not allowed here", f"write {one_of(known)}"
    if kind in _BOUNDS:
        name, hint = _BOUNDS[kind]
        return f"{value} is out of range", hint.format(f"{context[name]:g}")
    if kind in ("too_short", "string_too_short"):
        return f"{value} is empty", "write at least one"
    what, hint = _WANTED.get(kind, ("what belongs here", error["msg"]))
    return f"{value} is not {what}", hint


def _unknown(draft: Scenario, path: Path) -> InputError:
    """Say what is wrong with a key, by the part that has it in the draft."""
    part: Any = draft
    for key in path[:-1]:
        part = part.at(str(key)) if isinstance(part, Part) else part[key]
    key = str(path[-1])
    return misplaced(type(part), key) if isinstance(part, Step) else part.misplaced(key)
