"""What several kinds of steps share: their keys, and what may be expected of their results.

The docstrings of the fields are the lines of the reference in docs/reference/scenarios.md.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from mcp_perf.scenario.model import fields, syntax
from mcp_perf.scenario.model.answers import Answers
from mcp_perf.scenario.problems.wording import InputError

_Class = Literal["ok", "tool_error", "rpc_error", "rate_limited"]
_Numbers = fields.Looked[dict[fields.Expression, fields.NumberOrLookup]]
_OTHER_EXPECTATIONS: Final = {
    "status": ("status can only be used on HTTP steps", "write class: ok, tool_error or rpc_error"),
    "class": ("class can only be used on call and run, not on HTTP steps", "write status: 409"),
    "text": (
        "text can only be used on MCP steps",
        "write equals: {PATH: TEXT}, or contains or matches",
    ),
}


def _as_text(value: Any) -> Any:
    return {"equals": value} if isinstance(value, str) else value


class Expect(fields.Part):
    """What a step's result has to be; an unmet expectation makes the call `check_failed`."""

    equals: fields.Looked[dict[fields.Expression, Any]] = Field(default_factory=dict)
    """JMESPath → value, which may hold lookups."""
    contains: fields.Looked[dict[fields.Expression, Any]] = Field(default_factory=dict)
    """JMESPath → what it holds: a text, a value of a list, or members of an object."""
    matches: dict[fields.Expression, fields.Pattern] = Field(default_factory=dict)
    """JMESPath → a regular expression that is found in the text there."""
    exists: fields.Listed[fields.Expression] = ()
    """A JMESPath, or a list: something other than `null` is there."""
    less: _Numbers = Field(default_factory=dict)
    """JMESPath → a number that the number there is below."""
    greater: _Numbers = Field(default_factory=dict)
    """JMESPath → a number that the number there is above."""
    length: _Numbers = Field(default_factory=dict)
    """JMESPath → how many characters, items or members there are."""
    holds: fields.Listed[fields.Expression] = ()
    """A JMESPath, or a list: it is true, as JMESPath means it."""

    @classmethod
    def misplaced(cls, key: str) -> InputError:
        other = _OTHER_EXPECTATIONS.get(key)
        return InputError(*other) if other else super().misplaced(key)


class ExpectClass(Expect):
    """How a request to an MCP server, or a function, is to end."""

    class_: fields.Listed[_Class] = Field(default=(), alias="class")
    """How the call has to end: `ok`, `tool_error`, `rpc_error`, `rate_limited`, or a list."""


class ExpectText(fields.Part):
    """What the text of the first content block has to be."""

    equals: fields.Looked[str | None] = None
    contains: fields.Looked[str | None] = None
    matches: fields.Pattern | None = None

    def check(self) -> None:
        if not self.model_fields_set:
            hint = "write text: TEXT, or {contains: TEXT}"
            raise InputError("text does not say what to expect", hint)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, handler(schema)]}


class ExpectMcp(ExpectClass):
    """How a request to an MCP server is to end."""

    text: Annotated[ExpectText, BeforeValidator(_as_text)] | None = None
    """The text of the first content block, or one of `equals`, `contains` and `matches` for it."""


class ExpectStatus(Expect):
    """How an HTTP request is to end."""

    status: fields.Listed[Annotated[fields.Whole, fields.accepts(syntax.http_status)]] = ()
    """The HTTP status, or a list of those allowed; by default, 2xx and 3xx are fine."""


class Step(fields.Part):
    """What a user does in one step; each kind has a separate key, its `action`."""

    action: ClassVar[str] = ""
    arm: ClassVar[str] = ""
    """The only kind of arm that can do it, if there is one."""
    words: ClassVar[str | Callable[[Any], str]] = ""
    """How reports call it; {} is what the action says."""
    alone: ClassVar[str] = ""
    """What to write instead of it in a burst, which cannot contain it."""
    whose: ClassVar[tuple[str, ...]] = ()
    """Keys that need to know which user's call a message of the server belongs to."""

    @property
    def subject(self) -> Any:
        """The action's value: the tool's name, the path, or the pause in seconds."""
        return self.at(self.action)

    @property
    def inner(self) -> tuple["Step", ...]:
        """The steps of a burst; none for any other step."""
        return self.subject if self.action == "parallel" else ()

    @property
    def label(self) -> str:
        """What it is called in every report; lookups are left as written."""
        words = type(self).words
        return words.format(self.subject) if isinstance(words, str) else words(self.subject)


def flat(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield the steps, and in place of a burst, its steps."""
    for step in steps:
        yield from step.inner or (step,)


class Named(Step):
    """A step that may have another name in reports."""

    name: Annotated[str, Field(min_length=1)] | None = None
    """Its label in reports, instead of `tools/call TOOL` or `GET /path`."""

    @property
    def label(self) -> str:
        return self.name or super().label


class Counted(Named):
    """A step that is counted as a call."""

    on_error: Literal["stop", "continue"] = "stop"
    """`stop` ends the journey, `continue` goes on."""


class Timed(Counted):
    """A call that takes only so long."""

    timeout: fields.PositiveSeconds | None = None
    """Instead of the arm's."""


class WithResult(Timed):
    """A call with a result."""

    save: dict[fields.Identifier, fields.Expression] = Field(default_factory=dict)
    """Name → [JMESPath](https://jmespath.org) into the reply; later steps may use the name."""
    expect: Expect = Field(default_factory=Expect)


class WithArguments(Step):
    """A step that hands something over by name."""

    arguments: fields.Looked[dict[str, Any]] = Field(default_factory=dict)
    """The arguments of the tool, the prompt or the function."""


class McpCall(WithResult):
    """A request to an MCP server."""

    arm = "mcp"
    expect: ExpectMcp = Field(default_factory=ExpectMcp)
    """See below; if it is not met, the call ends as `check_failed`."""


class Asking(McpCall):
    """A request during which the server may ask back, or report progress."""

    whose = ("answers",)
    answers: Answers | None = None
    """Instead of the journey's, see [below](#answers)."""
    progress: fields.Flag = False
    """`true` asks the server to report progress; calls without a notification
    [count as the slowest](../explanation/measurement.md#what-only-mcp-has) in `first_event` and
    `gap`."""


class Cancellable(Asking, WithArguments):
    """A call of a tool."""

    cancel_after: fields.PositiveSeconds | None = None
    """Cancel the call after this time, see
    [targets](targets.md#streams-notifications-cancelling)."""

    def check(self) -> None:
        if self.cancel_after is not None and self.model_fields_set & {"save", "expect", "timeout"}:
            hint = "remove save, expect and timeout"
            raise InputError("a call with cancel_after has no result", hint)


class FunctionCall(WithResult, WithArguments):
    """A call of a Python function."""

    arm = "python"
    expect: ExpectClass = Field(default_factory=ExpectClass)
    """See below; if it is not met, the call ends as `check_failed`."""


class HttpCall(WithResult):
    """An HTTP request."""

    arm = "http"
    expect: ExpectStatus = Field(default_factory=ExpectStatus)
    """See below; if it is not met, the call ends as `check_failed`."""
    query: fields.Looked[fields.Flat] = Field(default_factory=dict)
    """The query of the request."""
    headers: fields.Looked[fields.Headers] = Field(default_factory=dict)
    """The headers of the request."""


class WithBody(HttpCall):
    """A request that may have a body."""

    form: fields.Looked[fields.Flat | None] = None
    """The body, as an HTML form; or `json`."""
    json_: fields.Looked[Any] = Field(default=None, alias="json")
    """The body, as JSON."""

    def check(self) -> None:
        bodies = sorted(self.model_fields_set & {"form", "json_"})
        if len(bodies) == 2:
            raise InputError("the step has both form and json", "keep one of them")
        if bodies and getattr(self, bodies[0]) is None:
            empty = bodies[0].rstrip("_")
            raise InputError(f"{empty} is empty", "write its value, or remove it")
