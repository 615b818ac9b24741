"""The model of a scenario: what a valid file says. Frozen, and nothing undeclared gets in.

Durations are seconds, percentages are fractions of 1. Keys that Python reserves carry a trailing
underscore here: `with_`, `json_`, `class_`.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field, InstanceOf, WithJsonSchema, model_validator

from mcp_perf.scenario.model import fields, syntax, targets
from mcp_perf.scenario.model.answers import Answers, Auth
from mcp_perf.scenario.model.gates import Gate
from mcp_perf.scenario.model.identities import Identities
from mcp_perf.scenario.model.kinds import Steps
from mcp_perf.scenario.model.load import Load
from mcp_perf.scenario.model.resources import Resources, whose
from mcp_perf.scenario.model.steps import Step
from mcp_perf.scenario.model.targets import Tls
from mcp_perf.scenario.problems.wording import InputError

Label = Annotated[str, fields.accepts(syntax.label)]
Variables = fields.Looked[dict[fields.Identifier, Any]]
McpTarget = Annotated[
    str,
    BeforeValidator(targets.mcp_target),
    fields.either(
        {"type": "string"},
        fields.one_key(sse="string", stdio="array", python="string"),
        fields.all_keys(stdio={"type": "array"}, cwd={"type": "string"}),
    ),
]
WhoseResources = Annotated[
    InstanceOf[Resources],
    BeforeValidator(whose),
    fields.either(
        {"enum": ["auto", "none"]},
        fields.one_key(pid="integer", container="string", prometheus="string"),
    ),
]

_Gate = Annotated[Gate, fields.reads(syntax.gate), WithJsonSchema({"type": "string"})]
Protocol = Literal["auto", "2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]

_KINDS: Final[tuple[Literal["http", "mcp", "python"], ...]] = ("http", "mcp", "python")
_OF_SESSIONS: Final = ("stream", "no_delete")


class Arm(fields.Part):
    """One way to do the work: an HTTP API, an MCP server, or a Python object."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [one]} for one in _KINDS]})
    http: Annotated[str, BeforeValidator(syntax.address)] | None = None
    """The URL of a plain HTTP API, or `system:NAME/FACE`."""
    mcp: McpTarget | None = None
    """The URL of an MCP server, `{sse: URL}`, `{stdio: [COMMAND]}`, `{python: MODULE:OBJECT}`,
    or `system:NAME/FACE`."""
    python: Annotated[str, BeforeValidator(targets.python_object)] | None = None
    """`MODULE` or `MODULE:OBJECT`, whose functions are called."""
    protocol: Protocol = "auto"
    """The version of MCP to use; `auto` finds it out."""
    headers: fields.Looked[fields.Headers] = Field(default_factory=dict)
    """Sent with every request; they may hold `${env:NAME}` and `${identity.NAME}`."""
    host: Annotated[str, fields.accepts(syntax.host)] = ""
    """The server's own name, in Host and in TLS, if the address has another one."""
    proxy: Annotated[str, fields.accepts(syntax.proxy)] = ""
    """The proxy that its calls go through; proxies in the environment are not used."""
    timeout: fields.PositiveSeconds = 10.0
    """How long one call may take."""
    start_timeout: fields.PositiveSeconds = 60.0
    """How long a stdio server may take to answer for the first time."""
    tls: Tls = Tls()
    """How certificates are checked, and which one is shown."""
    env: fields.Looked[Annotated[dict[str, str], fields.accepts(targets.environment)]] = Field(
        default_factory=dict
    )
    """What a stdio server gets besides a small part of our environment."""
    cwd: Annotated[str, Field(min_length=1)] = "."
    """The folder in which a stdio server is started, seen from that of the scenario."""
    process: Literal["user", "shared"] = "user"
    """Whether each user starts a separate stdio server, or all share one."""
    vars: Variables = Field(default_factory=dict)
    """Constants of this arm, which win over the scenario's."""
    resources: WhoseResources = Resources()
    """Whose CPU and memory are sampled; by default the process that serves the arm on this
    machine."""
    auth: Auth | None = None
    """How the client gets a token."""
    stream: fields.Flag = False
    """Whether each user keeps the stream of its session open: a GET, up to 2025-11-25."""
    no_delete: fields.Flag = False
    """Whether users leave their sessions without a goodbye, up to 2025-11-25."""

    @model_validator(mode="before")
    @classmethod
    def _take_out(cls, given: Any) -> Any:
        """Take what files of MCP clients have in another place: the folder of a command, Host."""
        if not isinstance(given, dict):
            return given
        mcp, headers = given.get("mcp"), given.get("headers")
        if isinstance(mcp, dict) and mcp.keys() == {"stdio", "cwd"} and "cwd" not in given:
            given = {**given, "mcp": {"stdio": mcp["stdio"]}, "cwd": mcp["cwd"]}
        if isinstance(headers, dict) and "host" not in given:
            for name in (name for name in headers if str(name).lower() == "host"):
                kept = {key: text for key, text in headers.items() if key != name}
                given = {**given, "host": headers[name], "headers": kept}
        return given

    def check(self) -> None:
        if not self.is_clear:
            what = "two targets" if self.address else "no target"
            hint = "write one of http: URL, mcp: URL or python: MODULE:OBJECT"
            raise InputError(f"the arm has {what}", hint)
        if self.kind != "mcp" and "protocol" in self.model_fields_set:
            hint = "remove protocol, or write mcp: URL"
            raise InputError("protocol can only be used on an mcp arm", hint)
        if self.kind != "mcp" and self.auth is not None:
            hint = "write headers: {Authorization: …} for an http arm"
            raise InputError("auth can only be used on an mcp arm", hint)
        if self.auth is not None and "authorization" in map(str.lower, self.headers):
            both = "the arm has both auth and an Authorization header"
            raise InputError(both, "keep one of them")
        self._check_transport()

    def _check_transport(self) -> None:
        """Refuse what the transport has no use for: nothing in a file is ignored."""
        transport = targets.split_target(self.address)[0]
        if transport == "sse" and self.protocol == "2026-07-28":
            raise InputError("2026-07-28 has no HTTP+SSE transport", "write mcp: URL, or auto")
        if transport not in ("http", "system") and self.auth is not None:
            hint = "remove auth, or write mcp: URL"
            raise InputError("auth can only be used over streamable HTTP", hint)
        self._check_sessions(transport)
        only_stdio = self.model_fields_set & {"cwd", "env", "process", "start_timeout"}
        only_http = self.model_fields_set & {"headers", "host", "proxy", "tls"}
        if only_stdio and transport != "stdio":
            key = min(only_stdio)
            raise InputError(f"{key} can only be used for a stdio server", f"remove {key}")
        if only_http and transport in targets.LOCAL_CODE:
            key = min(only_http)
            raise InputError(f"{key} can only be used over HTTP", f"remove {key}")

    def _check_sessions(self, transport: str) -> None:
        for key in (key for key in _OF_SESSIONS if getattr(self, key)):
            if self.kind != "mcp" or transport not in ("http", "system"):
                raise InputError(f"{key} can only be used over streamable HTTP", f"remove {key}")
            if self.protocol == "2026-07-28":
                hint = f"remove {key}, or write protocol: 2025-11-25"
                raise InputError(f"2026-07-28 has no sessions, so {key} has no effect", hint)

    @property
    def is_clear(self) -> bool:
        """Whether it has exactly one target: always, except in a draft."""
        return [self.http, self.mcp, self.python].count(None) == len(_KINDS) - 1

    @property
    def kind(self) -> Literal["http", "mcp", "python"]:
        return next(kind for kind in _KINDS if getattr(self, kind) is not None)

    def pointed(self, line: str) -> str:
        """Read the line of another target for this arm. Raises InputError."""
        read = targets.read_target(line)
        transport = targets.split_target(read)[0]
        if self.kind == "python" and transport != "python":
            hint = "write python:MODULE:OBJECT"
            raise InputError("this arm has a target of the kind python", hint)
        if self.kind == "http" and transport not in ("http", "system"):
            hint = "write its URL: http://HOST:PORT"
            raise InputError("this arm calls a plain HTTP server", hint)
        return read

    @property
    def address(self) -> str:
        """Where its calls go, as a line of `mcp_perf.scenario.model.targets`."""
        return self.http or self.mcp or self.python or ""


class Journey(fields.Part):
    """What one virtual user does in one iteration, for each arm."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Steps]
    """Arm -> its own steps."""
    weight: fields.Positive = 1.0
    """How often it is walked, in proportion to the others."""
    with_: fields.Looked[dict[fields.Identifier, Any]] = Field(default_factory=dict, alias="with")
    """Name → generator or constant, drawn anew for every journey."""
    tags: tuple[str, ...] = ()
    """Words by which `--tags` selects."""
    answers: Answers | None = None
    """What a server gets when it asks back."""
    common: Steps | None = Field(default=None, alias="steps")
    """For the arms that do not have a list here."""

    def of(self, arm: str) -> tuple[Step, ...]:
        return self.own.get(arm, self.common or ())

    def key(self, arm: str) -> str:
        """Return the key under which the steps of an arm are written."""
        return arm if arm in self.own else "steps"

    @property
    def own(self) -> dict[str, tuple[Step, ...]]:
        """Arm -> its own steps; in a draft, other keys as well."""
        return self.model_extra or {}


def _arm_name(value: str) -> str:
    if value in Journey.by_key():
        raise InputError(f"{value!r} is a key of journeys", "choose another name")
    return value


class Limits(fields.Part):
    """What a run may not go beyond.

    A run with more `errors` is FAIL. Most other limits are about the load generator, which was then
    not fit to measure: the run is INVALID.
    """

    generator_cpu: fields.Fraction = 0.9
    """The share of one core that a process of the load generator may use."""
    loop_lag_p99: fields.PositiveSeconds = 0.005
    """How late the event loop may wake, at the 99th percentile."""
    late_starts: fields.Fraction = 0.01
    """The share of arrivals that may be seen late."""
    lost_time: fields.Fraction = 0.01
    """The share of an arm's measured time that may be lost in stalls."""
    drain: fields.Seconds = 30.0
    """How long the last calls of a round may take; each has its own timeout as well."""
    errors: fields.Fraction = 0.01
    """The share of an arm's calls that may fail, if no gate on `error_rate` or `success_rate`
    judges it."""
    target_cpu: fields.Fraction = 1.0
    """The share of one core that the busiest process of a target here may use or wait for; 100%
    means unlimited."""
    healed: fields.Fraction = 0.01
    """The share of an arm's calls that may have something to mend, such as a lost session. Beyond
    it, the run is at best INCONCLUSIVE, unless a gate on `healed_rate` or `session_loss_rate`
    holds."""


class Scenario(fields.Part):
    """One scenario file."""

    name: Annotated[str, fields.accepts(syntax.scenario_name)]
    """Lower case words joined by dashes."""
    title_: Annotated[str, Field(alias="title", min_length=1)] = ""
    """One line, shown in reports; by default the name in words."""
    description: str = ""
    """More about it."""
    seed: Annotated[fields.Whole, Field(ge=0)] = 1
    """The same seed draws the same values."""
    env: tuple[fields.Identifier, ...] = ()
    """The environment variables that the file may read."""
    vars: Variables = Field(default_factory=dict)
    """Constants: name → value; they may hold `${env:NAME}`."""
    identities: Identities | None = None
    """A different identity for each user."""
    arms: Annotated[dict[Annotated[Label, fields.accepts(_arm_name)], Arm], Field(min_length=1)]
    """Name → arm."""
    journeys: Annotated[dict[Label, Journey], Field(min_length=1)]
    """Name → journey."""
    load: Load = Load()
    """How much load there is, and for how long."""
    layers: tuple[Label, ...] = ()
    """Arms that do the same work, each through one more layer than the one before."""
    gates: tuple[_Gate, ...] = ()
    """Lines that have to hold, such as `mcp.p95 < 200ms`."""
    limits: Limits = Limits()
    """Bounds beyond which a run does not count, or fails."""

    @property
    def title(self) -> str:
        """One line for reports: as written, or the name in words."""
        return self.title_ or self.name.replace("-", " ").capitalize()
