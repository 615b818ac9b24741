"""The table of the kinds of steps: the row of a kind has everything about it but how it runs.

Parsing, checks, the JSON Schema and the reference in docs/reference/scenarios.md follow from
`KINDS`. The table of `load/steps/compile.py` says how a kind runs.
"""

import keyword
from functools import cache
from typing import Annotated, Any, Final, Literal

from pydantic import (
    Field,
    SerializeAsAny,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    create_model,
)

from mcp_perf.scenario.model import fields, steps, syntax
from mcp_perf.scenario.model.answers import Complete
from mcp_perf.scenario.model.steps import Step
from mcp_perf.scenario.problems.wording import InputError, all_of, one_of

UPDATED: Final = "resources/updated"
_BEFORE: Final = "write it as a step before the burst"
_AFTER: Final = "write it as a step after the burst"
_Path = fields.Looked[Annotated[str, fields.accepts(syntax.http_path)]]
_PATH: Final = (_Path, "A path; it may contain `${…}`.")
_ListNames = fields.Listed[Literal["tools", "prompts", "resources"]]


class Await(fields.Part):
    """A notification that a journey waits for."""

    notification: Literal[
        "resources/updated", "tools/list_changed", "prompts/list_changed", "resources/list_changed"
    ]
    """Its name, without `notifications/`."""
    uri: fields.Looked[Annotated[fields.Uri, Field(min_length=1)] | None] = None
    """The URI of the resource."""

    def check(self) -> None:
        if self.uri is not None and self.notification != UPDATED:
            hint = f"remove uri, or write notification: {UPDATED}"
            raise InputError(f"{self.notification} does not concern a single resource", hint)


def _read(value: Any, _as_step: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Step:
    given = [action for action in KINDS if isinstance(value, dict) and action in value]
    kind = KINDS[given[0]] if len(given) == 1 else _unclear(tuple(KINDS.values()))
    return kind.model_validate(value, context=info.context)


def _read_all(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    try:
        return handler(value)
    except ValidationError:
        if info.context != fields.DRAFT:
            raise
        return ()


Steps = Annotated[
    tuple[Annotated[SerializeAsAny[Step], WrapValidator(_read)], ...],
    Field(min_length=1),
    WrapValidator(_read_all),
]


def kind(action: str, value: Any, line: str, *shared: type[Step], **attributes: Any) -> type[Step]:
    """Return the model of a kind.

    `value` is the type of what the action says, and `line` describes it in the reference. `shared`
    has the other keys. `attributes` are class attributes of `Step`.
    """
    name = f"{action}_" if keyword.iskeyword(action) else action
    field = Field(alias=None if name == action else action, description=line)
    own: dict[str, Any] = {name: (value, field)}
    model = create_model(f"{action.title()}Step", __base__=shared, **own)
    for attribute, given in {"action": action, "words": action, **attributes}.items():
        setattr(model, attribute, given)
    return model


_ROWS: Final = (
    kind("call", fields.ToolName, "The name of a tool.", steps.Cancellable, words="tools/call {}"),
    kind(
        "read",
        fields.Looked[fields.Uri],
        "The URI of a resource; it may contain `${…}`.",
        steps.Asking,
        words="resources/read {}",
    ),
    kind(
        "prompt",
        fields.ToolName,
        "The name of a prompt.",
        *(steps.Asking, steps.WithArguments),
        words="prompts/get {}",
    ),
    kind(
        "list",
        Literal["tools", "resources", "templates", "prompts"],
        "`tools`, `resources`, `templates` or `prompts`: all pages, as one call.",
        steps.McpCall,
        words=lambda what: f"{'resources/' if what == 'templates' else ''}{what}/list",
    ),
    kind(
        "complete",
        Complete,
        "`{prompt: NAME, argument: NAME, value: TEXT}`, or `resource: URI` of a template instead "
        "of `prompt`; `context` may hold arguments that are known already.",
        steps.McpCall,
        words="completion/complete",
    ),
    kind("ping", Literal[True], "`true`; up to 2025-11-25 only.", steps.McpCall),
    kind(
        "listen",
        Annotated[_ListNames, fields.accepts(syntax.each_once)],
        "`tools`, `prompts`, `resources`, or a list of them: subscribe to changes of these lists.",
        steps.Timed,
        words=lambda lists: f"listen {', '.join(lists)}",
        arm="mcp",
        alone=_BEFORE,
        whose=("listen",),
    ),
    kind(
        "subscribe",
        fields.Looked[fields.Uri],
        "The URI of a resource: subscribe to its updates; it may contain `${…}`.",
        steps.Timed,
        words="subscribe {}",
        arm="mcp",
        alone=_BEFORE,
        whose=("subscribe",),
    ),
    kind(
        "await",
        Await,
        "`{notification: NAME}`: wait for a notification, see [below](#listening).",
        steps.Timed,
        words="await {0.notification}",
        arm="mcp",
        alone=_AFTER,
        whose=("await",),
    ),
    kind(
        "open",
        Literal[True],
        "`true`: opens a session, see [below](#sessions-that-come-and-go).",
        steps.Counted,
        words="open session",
        arm="mcp",
        alone=_BEFORE,
    ),
    kind(
        "close",
        Literal[True],
        "`true`: closes it.",
        steps.Counted,
        words="close session",
        arm="mcp",
        alone=_AFTER,
    ),
    kind("run", fields.Identifier, "The name of a function.", steps.FunctionCall, words="run {}"),
    kind("get", *_PATH, steps.HttpCall, words="GET {}"),
    kind("post", *_PATH, steps.WithBody, words="POST {}"),
    kind("put", *_PATH, steps.WithBody, words="PUT {}"),
    kind("patch", *_PATH, steps.WithBody, words="PATCH {}"),
    kind("delete", *_PATH, steps.WithBody, words="DELETE {}"),
    kind(
        "wait",
        fields.PositiveSeconds,
        "A duration, which is left out of all reported times.",
        steps.Named,
        alone="write it before or after the burst, where steps wait for it",
    ),
    kind(
        "parallel",
        Steps,
        "A list of steps, see [below](#calls-at-once).",
        Step,
        alone="its calls already begin together: write them in one list",
    ),
)
KINDS: Final[dict[str, type[Step]]] = {row.action: row for row in _ROWS}


def having(key: str) -> list[str]:
    """Return the kinds that have a key."""
    return [action for action, kind in KINDS.items() if key in kind.by_key()]


def whom(key: str) -> str:
    """Say which steps may have a key."""
    kinds = having(key)
    if kinds == [action for action, kind in KINDS.items() if kind.arm == "http"]:
        return "HTTP steps"
    if len(kinds) <= 4:
        return f"{all_of(kinds)} steps"
    return "single steps" if "wait" in kinds else "calls"


def misplaced(kind: type[Step], key: str) -> InputError:
    """Say what is wrong with a key that a kind does not have."""
    if not having(key) or not kind.action:
        return kind.misplaced(key)
    hint = "write query" if kind.action == "get" and key in ("form", "json") else f"remove {key}"
    return InputError(f"{key} is for {whom(key)}, not for {kind.action}", hint)


class Unclear(Step):
    """A step whose kind is unclear: it may have the keys of all kinds, and is refused."""

    def check(self) -> None:
        given = [action for action in KINDS if self.by_key()[action] in self.model_fields_set]
        what = f"{all_of(given)} in one step" if given else "no action"
        raise InputError(f"the step has {what}", f"write exactly one of {one_of(KINDS)}")


@cache
def _unclear(kinds: tuple[type[Step], ...]) -> type[Step]:
    found: dict[str, Any] = {
        name: (Annotated[field.annotation, *field.metadata, Field(alias=field.alias)], None)
        for kind in kinds
        for name, field in kind.model_fields.items()
    }
    return create_model("Unclear", __base__=Unclear, **found)
