"""The model of a scenario: what a valid file says. Frozen, and nothing undeclared gets in.

Durations are seconds, percentages are fractions of 1. Keys that Python reserves carry a trailing
underscore here: `with_`, `json_`, `class_`.
"""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf, model_validator

from mcp_perf.scenario.model import gates, syntax, targets
from mcp_perf.scenario.model.answers import Answers, Auth, Complete, uri
from mcp_perf.scenario.model.fields import Flag, Fraction, Part, Positive, PositiveSeconds, Whole
from mcp_perf.scenario.model.identities import Identities
from mcp_perf.scenario.model.listening import LISTEN_ACTIONS, Await, Listen
from mcp_perf.scenario.model.load import Load
from mcp_perf.scenario.model.resources import Resources, whose
from mcp_perf.scenario.model.tls import Tls
from mcp_perf.scenario.problems.wording import InputError, one_of

Identifier = Annotated[str, AfterValidator(syntax.identifier)]
Label = Annotated[str, AfterValidator(syntax.label)]
Headers = dict[str, str]
Variables = dict[Identifier, Any]
Gate = gates.Gate

Protocol = Literal["auto", "2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]

HTTP_VERBS: Final = ("get", "post", "put", "patch", "delete")
MCP_ACTIONS: Final = ("call", "read", "prompt", "list", "complete", "ping")
SESSION_ACTIONS: Final = ("open", "close")
ACTIONS: Final = (
    *(*MCP_ACTIONS, *LISTEN_ACTIONS, *SESSION_ACTIONS),
    *("run", *HTTP_VERBS, "wait", "parallel"),
)
_KINDS: Final[tuple[Literal["http", "mcp", "python"], ...]] = ("http", "mcp", "python")
_HTTP_ONLY: Final = ("query", "form", "json_", "headers")
_CALLS: Final = (*MCP_ACTIONS, "run", *HTTP_VERBS)
_ARGUMENTS: Final = ("call", "prompt", "run")
_ANSWERED: Final = ("call", "read", "prompt")
_OF_SESSIONS: Final = ("stream", "no_delete")
_LISTS: Final = {"templates": "resources/templates/list"}


class Arm(Part):
    """One way to do the work: an HTTP API, an MCP server, or a Python object."""

    http: Annotated[str, BeforeValidator(syntax.address)] | None = None
    mcp: Annotated[str, BeforeValidator(targets.mcp_target)] | None = None
    python: Annotated[str, BeforeValidator(targets.python_object)] | None = None
    protocol: Protocol = "auto"
    headers: Annotated[Headers, AfterValidator(syntax.headers)] = Field(default_factory=dict)
    timeout: PositiveSeconds = 10.0
    tls: Tls = Tls()
    env: Annotated[dict[str, str], AfterValidator(targets.environment)] = Field(
        default_factory=dict
    )
    """What a stdio server gets beside a small part of our environment."""
    process: Literal["user", "shared"] = "user"
    """Whether each user starts a stdio server of its own, or all share one."""
    vars: Variables = Field(default_factory=dict)
    resources: Annotated[InstanceOf[Resources], BeforeValidator(whose)] = Resources()
    auth: Auth | None = None
    stream: Flag = False
    """Whether each user keeps the stream of its session open: a GET, up to 2025-11-25."""
    no_delete: Flag = False
    """Whether users leave their sessions without a goodbye, up to 2025-11-25."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            what = "two targets" if given else "no target"
            hint = "write one of http: URL, mcp: URL or python: MODULE:OBJECT"
            raise InputError(f"an arm with {what}", hint)
        if self.kind != "mcp" and "protocol" in self.model_fields_set:
            raise InputError("protocol is for mcp arms only", "remove protocol, or write mcp: URL")
        if self.kind != "mcp" and self.auth is not None:
            hint = "write headers: {Authorization: …} for an http arm"
            raise InputError("auth is for mcp arms only", hint)
        if self.auth is not None and "authorization" in map(str.lower, self.headers):
            raise InputError("auth and an Authorization header", "keep one of them")
        self._check_transport()
        return self

    def _check_transport(self) -> None:
        """Refuse what the transport has no use for: nothing in a file is ignored."""
        transport = targets.split_target(self.address)[0]
        if transport == "sse" and self.protocol == "2026-07-28":
            raise InputError("2026-07-28 has no HTTP+SSE transport", "write mcp: URL, or auto")
        if transport not in ("http", "system") and self.auth is not None:
            raise InputError("auth is for streamable HTTP only", "remove auth, or write mcp: URL")
        self._check_sessions(transport)
        only_stdio = self.model_fields_set & {"env", "process"}
        only_http = self.model_fields_set & {"headers", "tls"}
        if only_stdio and transport != "stdio":
            key = min(only_stdio)
            raise InputError(f"{key} is for stdio servers only", f"remove {key}")
        if only_http and transport in targets.LOCAL_CODE:
            key = min(only_http)
            raise InputError(f"{key} is for what is reached by HTTP", f"remove {key}")

    def _check_sessions(self, transport: str) -> None:
        for key in (key for key in _OF_SESSIONS if getattr(self, key)):
            if self.kind != "mcp" or transport not in ("http", "system"):
                raise InputError(f"{key} is for streamable HTTP only", f"remove {key}")
            if self.protocol == "2026-07-28":
                hint = f"remove {key}, or write protocol: 2025-11-25"
                raise InputError(f"2026-07-28 has no sessions, so {key} has no use", hint)

    @property
    def kind(self) -> Literal["http", "mcp", "python"]:
        return next(kind for kind in _KINDS if getattr(self, kind) is not None)

    def pointed(self, line: str) -> str:
        """Read the line of another target for this arm. Raises InputError."""
        read = targets.read_target(line)
        transport = targets.split_target(read)[0]
        if (self.kind == "python") != (transport == "python") and self.kind != "mcp":
            hint = "write python:MODULE:OBJECT" if self.kind == "python" else "write a URL"
            raise InputError(f"the arm is for {self.kind} only", hint)
        if self.kind == "http" and transport not in ("http", "system"):
            raise InputError("the arm is for http only", "write a URL")
        return read

    @property
    def address(self) -> str:
        """Where its calls go, as a line of `mcp_perf.scenario.model.targets`."""
        return self.http or self.mcp or self.python or ""


class Expect(Part):
    """What a step's result has to be; an unmet expectation makes the call `check_failed`."""

    status: Annotated[tuple[Whole, ...], BeforeValidator(syntax.as_list)] = ()
    """HTTP status codes, one of which is expected. HTTP steps only."""
    class_: Annotated[
        tuple[Literal["ok", "tool_error", "rpc_error"], ...],
        BeforeValidator(syntax.as_list),
        Field(alias="class"),
    ] = ()
    """How the call is to end. Not for HTTP steps."""
    equals: dict[str, Any] = Field(default_factory=dict)
    """JMESPath -> value."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        for code in self.status:
            if not 100 <= code <= 599:
                raise InputError(f"{code} is not an HTTP status", "write one from 100 to 599")
        return self


class Step(Part):
    """One call (or one pause): exactly one action, what it sends, saves and expects."""

    call: Annotated[str, AfterValidator(syntax.tool)] | None = None
    run: Annotated[str, AfterValidator(syntax.identifier)] | None = None
    read: Annotated[str, AfterValidator(uri)] | None = None
    prompt: Annotated[str, AfterValidator(syntax.tool)] | None = None
    list: Literal["tools", "resources", "templates", "prompts"] | None = None
    complete: Complete | None = None
    ping: Literal[True] | None = None
    get: Annotated[str, AfterValidator(syntax.http_path)] | None = None
    post: Annotated[str, AfterValidator(syntax.http_path)] | None = None
    put: Annotated[str, AfterValidator(syntax.http_path)] | None = None
    patch: Annotated[str, AfterValidator(syntax.http_path)] | None = None
    delete: Annotated[str, AfterValidator(syntax.http_path)] | None = None
    wait: PositiveSeconds | None = None
    open: Literal[True] | None = None
    close: Literal[True] | None = None
    listen: Listen | None = None
    subscribe: Annotated[str, AfterValidator(uri)] | None = None
    await_: Annotated[Await | None, Field(alias="await")] = None
    parallel: Annotated[tuple["Step", ...], Field(min_length=1)] | None = None
    """A burst: calls that begin at once; the step ends with the last of them."""
    name: str | None = Field(default=None, min_length=1)
    arguments: dict[str, Any] = Field(default_factory=dict)
    query: Annotated[dict[str, Any], AfterValidator(syntax.flat)] = Field(default_factory=dict)
    form: Annotated[dict[str, Any], AfterValidator(syntax.flat)] | None = None
    json_: Annotated[Any, Field(alias="json")] = None
    headers: Annotated[Headers, AfterValidator(syntax.headers)] = Field(default_factory=dict)
    save: dict[Identifier, str] = Field(default_factory=dict)
    expect: Expect = Expect()
    on_error: Literal["stop", "continue"] = "stop"
    timeout: PositiveSeconds | None = None
    answers: Answers | None = None
    cancel_after: PositiveSeconds | None = None
    progress: Flag = False
    """Whether the server is asked to report progress."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = self._given
        if len(given) != 1:
            what = f"{one_of(given).replace(' or ', ' and ')} in one step" if given else "no action"
            raise InputError(f"a step with {what}", f"write exactly one of {one_of(ACTIONS)}")
        self._check_fields(given[0])
        if given[0] in HTTP_VERBS:
            self._check_body(given[0])
        return self

    def _check_fields(self, action: str) -> None:
        """Refuse what the action has no use for: nothing in a file is ignored."""
        for names, actions, whom in (
            (_HTTP_ONLY, HTTP_VERBS, "HTTP steps"),
            (("arguments",), _ARGUMENTS, "call, prompt and run steps"),
            (("answers", "progress"), _ANSWERED, "call, read and prompt steps"),
            (("cancel_after",), ("call",), "call steps"),
            (("save", "expect"), _CALLS, "calls"),
            (("timeout",), (*_CALLS, *LISTEN_ACTIONS), "calls"),
            (("on_error",), (*_CALLS, *LISTEN_ACTIONS, *SESSION_ACTIONS), "calls"),
            (("name",), tuple(name for name in ACTIONS if name != "parallel"), "single steps"),
        ):
            for name in sorted(self.model_fields_set & set(names)) if action not in actions else ():
                key = name.rstrip("_")
                raise InputError(f"{key} is for {whom}, not for {action}", f"remove {key}")
        if action not in HTTP_VERBS and self.expect.status:
            hint = "write class: ok, tool_error or rpc_error"
            raise InputError(f"expect.status is for HTTP steps, not for {action}", hint)
        if action in HTTP_VERBS and self.expect.class_:
            raise InputError(f"expect.class is for call, not for {action}", "write status: 409")
        if self.cancel_after is not None and self.model_fields_set & {"save", "expect", "timeout"}:
            raise InputError(
                "a call that is cancelled has no result", "remove save, expect and timeout"
            )

    def _check_body(self, action: str) -> None:
        bodies = sorted(self.model_fields_set & {"form", "json_"})
        empty = [name.rstrip("_") for name in bodies if getattr(self, name) is None]
        if len(bodies) == 2:
            raise InputError("form and json in one step", "keep one of them")
        if bodies and action == "get":
            raise InputError(f"{bodies[0].rstrip('_')} in a get: it has no body", "write query")
        if empty:
            raise InputError(f"{empty[0]} is empty", "write its value, or remove it")

    @property
    def _given(self) -> tuple[str, ...]:
        """The actions that it has; exactly one, once it is checked."""
        return tuple(key for key in ACTIONS if getattr(self, _field(key)) is not None)

    @property
    def action(self) -> str:
        """The key that says what is done: `call`, `get`, …, `wait`."""
        return self._given[0]

    @property
    def subject(self) -> Any:
        """The action's value: the tool's name, the path, or the pause in seconds."""
        return getattr(self, _field(self.action))

    @property
    def label(self) -> str:
        """What the step is called in every report; lookups in a path are left as written."""
        if self.name:
            return self.name
        fixed = {
            "call": f"tools/call {self.call}",
            "read": f"resources/read {self.read}",
            "prompt": f"prompts/get {self.prompt}",
            "list": _LISTS.get(str(self.list), f"{self.list}/list"),
            "complete": "completion/complete",
            "run": f"run {self.run}",
            "listen": f"listen {', '.join(self.listen or ())}",
            "subscribe": f"subscribe {self.subscribe}",
            "await": f"await {self.await_.notification if self.await_ else ''}",
            "open": "open session",
            "close": "close session",
        }
        if self.action in HTTP_VERBS:
            return f"{self.action.upper()} {self.subject}"
        return fixed.get(self.action, self.action)


def _field(action: str) -> str:
    """Return the name of an action's field: one of them is a word of Python's."""
    return "await_" if action == "await" else action


class Journey(Part):
    """What one virtual user does in one iteration, for each arm."""

    weight: Positive = 1.0
    with_: dict[Identifier, Any] = Field(default_factory=dict, alias="with")
    tags: tuple[str, ...] = ()
    answers: Answers | None = None
    steps: dict[str, Annotated[tuple[Step, ...], Field(min_length=1)]]
    """Arm -> its steps; the file's common list stands here once per arm that has no other."""


class Limits(Part):
    """Beyond these the load generator itself was the bottleneck, and the run is INVALID."""

    generator_cpu: Fraction = 0.9
    loop_lag_p99: PositiveSeconds = 0.005
    late_starts: Fraction = 0.01


class Scenario(Part):
    """One scenario file."""

    name: Annotated[str, AfterValidator(syntax.scenario_name)]
    title_: Annotated[str, Field(alias="title", min_length=1)] = ""
    description: str = ""
    seed: Annotated[Whole, Field(ge=0)] = 1
    env: tuple[Identifier, ...] = ()
    """The environment variables that the file may read."""
    vars: Variables = Field(default_factory=dict)
    identities: Identities | None = None
    arms: Annotated[dict[Label, Arm], Field(min_length=1)]
    journeys: Annotated[dict[Label, Journey], Field(min_length=1)]
    load: Load = Load()
    layers: tuple[Label, ...] = ()
    """Arms that do the same work, each through one more layer than the one before."""
    gates: tuple[Annotated[InstanceOf[Gate], BeforeValidator(syntax.gate)], ...] = ()
    limits: Limits = Limits()

    @property
    def title(self) -> str:
        """One line for reports: as written, else the name in words."""
        return self.title_ or self.name.replace("-", " ").capitalize()
