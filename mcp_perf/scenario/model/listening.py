"""Steps that listen: what a user is told of by the server, and which notification it waits for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from mcp_perf.scenario.model import syntax
from mcp_perf.scenario.model.answers import uri as resource_uri
from mcp_perf.scenario.model.fields import Part
from mcp_perf.scenario.problems.finding import Finding, Path
from mcp_perf.scenario.problems.wording import InputError

LISTEN_ACTIONS: Final = ("listen", "subscribe", "await")
UPDATED: Final = "resources/updated"


def _each_once(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(value)) != len(value):
        raise InputError("a list named twice", "write each once")
    return value


Listen = Annotated[
    tuple[Literal["tools", "prompts", "resources"], ...],
    BeforeValidator(syntax.as_list),
    AfterValidator(_each_once),
]
"""Lists whose changes a user wants to be told of."""


class Await(Part):
    """A notification that a journey waits for."""

    notification: Literal[
        "resources/updated",
        "tools/list_changed",
        "prompts/list_changed",
        "resources/list_changed",
    ]
    uri: Annotated[str, Field(min_length=1), AfterValidator(resource_uri)] | None = None
    """Of the resource; may hold lookups."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.uri is not None and self.notification != UPDATED:
            hint = f"remove uri, or write notification: {UPDATED}"
            raise InputError(f"{self.notification} is of no single resource", hint)
        return self


def check_listening(steps: Sequence[tuple[Path, Mapping[str, Any]]]) -> Iterator[Finding]:
    """Yield each `await` of a journey for what no step before it has asked for."""
    told: set[str] = set()
    for path, step in steps:
        listed = step.get("listen")
        if isinstance(listed, str | list | tuple):
            names = [listed] if isinstance(listed, str) else listed
            told |= {f"{name}/list_changed" for name in names}
        if "subscribe" in step:
            told.add(UPDATED)
        if "close" in step:
            told.clear()
        wanted = step.get("await")
        name = wanted.get("notification") if isinstance(wanted, Mapping) else None
        if isinstance(name, str) and name not in told:
            what = "subscribe: URI" if name == UPDATED else f"listen: [{name.split('/')[0]}]"
            message = f"no step before it asks for {name}, so none will come"
            yield Finding((*path, "await"), message, f"write {what} as a step before")
