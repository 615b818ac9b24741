"""Turns a scenario and its reached targets into journeys, and does all work that it can do now.

Templates whose names are all known become constants, constant requests become bytes, paths and
schemas become functions.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from mcp_perf.client.channels.inprocess import Code, find_function
from mcp_perf.client.http.rest import encode_fields, encode_line
from mcp_perf.client.mcp.lifetime import close_session, open_session
from mcp_perf.client.mcp.streamable_http import Call
from mcp_perf.client.protocol.requests import Request as McpRequest
from mcp_perf.client.protocol.tools import Tool
from mcp_perf.client.reply import Reply
from mcp_perf.load.replies.cpu_share import CpuShare
from mcp_perf.load.replies.expected import expectations
from mcp_perf.load.replies.look import LOOKS_SHARE, ReplyLook
from mcp_perf.load.replies.output_check import (
    CHECKS_SHARE,
    CompiledSchema,
    OutputCheck,
    unusable,
)
from mcp_perf.load.steps import step as steps
from mcp_perf.load.steps.burst import BurstStep
from mcp_perf.load.steps.checks import Checks, result_root
from mcp_perf.load.steps.journey import CompiledJourney, Runnable
from mcp_perf.load.steps.listen import AwaitStep, ChangeStep, ListenStep, changes
from mcp_perf.load.steps.mcp import CancelledStep, ListStep, ProgressStep, RequestStep, SessionStep
from mcp_perf.load.steps.recorder import Recorder, Track
from mcp_perf.load.targets.answers import joined, own_answers, own_script
from mcp_perf.load.targets.targets import ArmTarget
from mcp_perf.outcomes import OK
from mcp_perf.scenario.loader import Loaded
from mcp_perf.scenario.model import answers as dialog
from mcp_perf.scenario.model import steps as model
from mcp_perf.scenario.model.targets import split_target
from mcp_perf.scenario.values.generators import compile_generators
from mcp_perf.scenario.values.templates import Template, compile_template

Values = dict[str, Any]
_REQUEST: Final = ("arguments", "query", "headers", "form", "json")  # sent besides the action


def compile_journeys(
    loaded: Loaded, targets: Mapping[str, ArmTarget], recorder: Recorder
) -> list[CompiledJourney]:
    """Compile the journeys."""
    scenario = loaded.scenario
    compilers = {name: ArmCompiler(loaded, target, recorder) for name, target in targets.items()}
    return [
        CompiledJourney(
            name,
            journey.weight,
            compile_generators(journey.with_, seed=scenario.seed, env=loaded.env, base=loaded.base),
            {
                arm: replace(compiler, name=name, answers=journey.answers).journey(journey.of(arm))
                for arm, compiler in compilers.items()
            },
            {arm: recorder.track(arm, "journey", name) for arm in targets},
        )
        for name, journey in scenario.journeys.items()
    ]


@dataclass(frozen=True, slots=True)
class ArmCompiler:
    """Compiles the steps of one arm, each by the method of its kind."""

    loaded: Loaded
    target: ArmTarget
    recorder: Recorder
    name: str = ""
    """The journey's name."""
    answers: dialog.Answers | None = None
    """The journey's answers to what a server asks."""
    after_change: bool = False
    """Whether an earlier step may cause the notification that an `await` waits for."""

    def journey(self, listed: Sequence[model.Step]) -> list[Runnable]:
        brought = changes(listed)
        compiled = [
            replace(self, after_change=index in brought).step(step)
            for index, step in enumerate(listed)
        ]
        for index in set(brought.values()):
            compiled[index] = ChangeStep(compiled[index])
        return compiled

    def step(self, step: model.Step) -> Runnable:
        compiled = self.KINDS[step.action](self, step)
        follow: Callable[..., Runnable] | None = getattr(self.recorder, "follow", None)  # to log
        if follow is None or not isinstance(compiled, steps.CompiledStep):
            return compiled
        return follow(compiled, self._template(_written(step)))

    def _wait(self, step: model.Step) -> steps.WaitStep:
        return steps.WaitStep(step.subject)

    def _burst(self, step: model.Step) -> BurstStep:
        compiler = self
        if split_target(self.target.url)[0] != "http":
            # A question on a channel does not say which call it is for: all share the answers.
            answers = joined(*map(own_answers, step.inner), self.answers)
            compiler = replace(self, answers=answers)
        return BurstStep([compiler.step(one) for one in step.inner])

    def _session_step(self, step: model.Counted) -> Runnable:
        act = open_session if step.action == "open" else close_session
        return SessionStep(act=act, **self._terms(step))

    def _listen_step(self, step: model.Timed) -> ListenStep:
        lists, uri = step.subject, None
        if step.action == "subscribe":
            lists, uri = (), self._template(step.subject)
        return ListenStep(lists=lists, uri=uri, **self._terms(step))

    def _await_step(self, step: model.Timed) -> AwaitStep:
        wanted = step.subject
        return AwaitStep(
            method=f"notifications/{wanted.notification}",
            uri=None if wanted.uri is None else self._template(wanted.uri),
            after_change=self.after_change,
            **self._terms(step),
        )

    def _run_step(self, step: model.FunctionCall) -> steps.RunStep:
        code = self.target.destination
        function = find_function(code, step.subject) if isinstance(code, Code) else None
        assert function is not None  # noqa: S101 -- looked for before the run
        return steps.RunStep(
            function=function,
            checks=self._checks(step),
            arguments=self._template(step.arguments),
            **self._terms(step),
        )

    def _tool_step(self, step: model.Cancellable) -> Runnable:
        tool = (self.target.tools or {})[step.subject]
        arguments = self._template(step.arguments)
        validate = validator(tool)
        constant = arguments.render(self._known) if self._is_known(arguments) else None
        if constant is not None and validate(constant):
            constant = None  # each call is refused, so that each is counted
        shared = self._terms(step) | {
            "prepared": Call(
                tool,
                constant,
                own_script(step, self.answers),
                step.progress,
                self._task_ttl_ms(tool, step),
            ),
            "arguments": arguments if constant is None else None,
            "is_valid": validate,
        }
        if step.cancel_after is not None:  # a cancelled call has no output
            checks = self._checks(step)
            after_s = step.cancel_after
            made: steps.ToolStep = CancelledStep(cancel_after_s=after_s, checks=checks, **shared)
        else:
            track = shared["track"]
            checks = self._checks(step, output_check(tool, track, self.recorder))
            made = steps.ToolStep(look=self._look(track), checks=checks, **shared)
        return ProgressStep(made) if step.progress else made

    def _task_ttl_ms(self, tool: Tool, step: model.Timed) -> int:
        """Return how long a task is to be kept: as long as somebody waits for it."""
        timeout_s = step.timeout or self.loaded.scenario.arms[self.target.arm].timeout
        return math.ceil(1000 * timeout_s) if tool.may_be_task else 0

    def _look(self, track: Track) -> ReplyLook:
        share = CpuShare(LOOKS_SHARE, lambda: self.recorder.calls, time.perf_counter_ns)
        look = ReplyLook(track.arm, track.name, share)
        self.recorder.looks.append(look)
        return look

    def _list_step(self, step: model.McpCall) -> ListStep:
        return ListStep(what=step.subject, checks=self._checks(step), **self._terms(step))

    def _request_step(self, step: model.McpCall) -> Runnable:
        method, tree = asked(step)
        params = self._template(tree)
        known = self._is_known(params)
        constant = params.render(self._known) if known else None
        progress = getattr(step, "progress", False)
        compiled = RequestStep(
            request=McpRequest(method, constant, own_script(step, self.answers), progress),
            checks=self._checks(step),
            params=None if known else params,
            **self._terms(step),
        )
        return ProgressStep(compiled) if progress else compiled

    def _http_step(self, step: model.HttpCall) -> steps.HttpStep:
        verb = step.action.upper()
        return steps.HttpStep(
            kind=verb,
            personal=bool(self.target.endpoint.personal),
            request=self._request(step, verb),
            checks=self._checks(step),
            **self._terms(step),
        )

    def _request(self, step: model.HttpCall, verb: str) -> steps.HttpRequest:
        endpoint = self.target.endpoint
        headers = dict(step.headers)
        body: bytes | Callable[[Values], bytes] | None = None
        form, content = (getattr(step, key, None) for key in ("form", "json_"))
        if form is not None:
            body = self._part(form, steps.encode_form)
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        elif content is not None:
            body = self._part(content, steps.encode_json)
            headers.setdefault("Content-Type", "application/json")
        elif verb in ("POST", "PUT", "PATCH"):
            body = b""
        return steps.HttpRequest(
            self._part(
                {"path": step.subject, "query": step.query},
                lambda part: encode_line(endpoint, verb, _with_query(part["path"], part["query"])),
            ),
            self._part(headers, lambda part: encode_fields(endpoint, _texts(part))),
            body,
        )

    def _terms(self, step: model.Counted) -> dict[str, Any]:
        tool = step.subject if step.action == "call" else ""
        return {
            "track": self.recorder.track(self.target.arm, "call", step.label, self.name, tool),
            "timeout_s": step.timeout if isinstance(step, model.Timed) else None,
            "goes_on": step.on_error == "continue",
            "prefix": steps.prefix(self.target.arm, self.loaded.scenario.arms),
        }

    def _checks(self, step: model.WithResult, output: OutputCheck | None = None) -> Checks:
        expect = step.expect
        return Checks(
            result_root if step.arm == "mcp" else Reply.json,
            accepted=(isinstance(expect, model.ExpectClass) and expect.class_) or (OK,),
            statuses=expect.status if isinstance(expect, model.ExpectStatus) else (),
            expects=[*expectations(expect, self._template)],
            saves=step.save,
            output=output,
        )

    def _template(self, tree: Any) -> Template:
        return compile_template(tree, env=self.loaded.env)

    @property
    def _known(self) -> Values:
        return {**self.target.variables, "arm": self.target.arm}

    def _is_known(self, template: Template) -> bool:
        return template.names <= self._known.keys()

    def _part(self, tree: Any, encode: Callable[[Any], bytes]) -> bytes | Callable[[Values], bytes]:
        """Encode a part of a request now if none of it depends on the journey."""
        template = self._template(tree)
        if self._is_known(template):
            return encode(template.render(self._known))
        return lambda values: encode(template.render(values))

    KINDS: ClassVar[dict[str, Callable[..., Runnable]]] = {
        "call": _tool_step,
        **dict.fromkeys(("read", "prompt", "complete", "ping"), _request_step),
        "list": _list_step,
        **dict.fromkeys(("listen", "subscribe"), _listen_step),
        "await": _await_step,
        **dict.fromkeys(("open", "close"), _session_step),
        "run": _run_step,
        **dict.fromkeys(("get", "post", "put", "patch", "delete"), _http_step),
        "wait": _wait,
        "parallel": _burst,
    }
    """How each kind of step is compiled, by its key."""


def _written(step: model.Step) -> dict[str, Any]:
    """Return what a step asks for, as the file says it."""
    names = {name for key, name in step.by_key().items() if key in (step.action, *_REQUEST)}
    sent = step.model_dump(by_alias=True, exclude_unset=True, include=names)
    return {step.action: sent[step.action], **sent}


def asked(step: model.Step) -> tuple[str, dict[str, Any]]:
    """Return the method of a request step, and its params as they are written."""
    if step.action == "read":
        return "resources/read", {"uri": step.subject}
    if isinstance(step, model.WithArguments):
        return "prompts/get", {"name": step.subject, "arguments": step.arguments}
    if step.action == "complete":
        wanted = step.subject
        params: dict[str, Any] = {
            "ref": (
                {"type": "ref/prompt", "name": wanted.prompt}
                if wanted.prompt is not None
                else {"type": "ref/resource", "uri": wanted.resource}
            ),
            "argument": {"name": wanted.argument, "value": wanted.value},
        }
        if wanted.context:
            params["context"] = {"arguments": wanted.context}
        return "completion/complete", params
    return "ping", {}


def validator(tool: Tool) -> Callable[[Any], str]:
    """Compile a tool's inputSchema to a function that returns what is wrong, or nothing.

    A schema that is broken, has an unknown dialect, or points outside itself checks nothing, and
    `unchecked` says so: the server's own answer will show what is wrong. If there are several
    schemas, one has to fit.
    """
    try:
        schemas = [
            CompiledSchema(schema, f"tool {tool.name}", "inputSchema")
            for schema in (tool.input_schema, *tool.other_schemas)
        ]
    except ValueError:
        return lambda _arguments: ""
    first, *others = schemas
    if not others:
        return first
    return lambda it: "" if any(one.is_valid(it) for one in schemas) else first.problem(it)


def output_check(tool: Tool, track: Track, recorder: Recorder) -> OutputCheck | None:
    """Compile a tool's outputSchema; None if it has none that can be used."""
    if tool.output_schema is None:
        return None
    try:
        schema = CompiledSchema(tool.output_schema, "structuredContent", "outputSchema")
    except ValueError:
        return None
    return OutputCheck(schema, track, CpuShare(CHECKS_SHARE, lambda: recorder.calls))


def unchecked(loaded: Loaded, targets: Mapping[str, ArmTarget]) -> list[str]:
    """Return a line for each schema of a called tool that checks nothing, and say why."""
    called = dict.fromkeys(
        (arm, step.subject)
        for journey in loaded.scenario.journeys.values()
        for arm in targets
        for step in model.flat(journey.of(arm))
        if step.action == "call"
    )
    return [
        f"The {what} of {name} ({arm}) are not checked, because its {kind} cannot be used: {why}."
        for arm, name in called
        if (tool := (targets[arm].tools or {}).get(name)) is not None
        for what, kind, why in unusable_schemas(tool)
    ]


def unusable_schemas(tool: Tool) -> Iterator[tuple[str, str, str]]:
    """Yield, for each schema that cannot be used, what it describes, its name, and why."""
    for what, kind, schemas in (
        ("arguments", "inputSchema", (tool.input_schema, *tool.other_schemas)),
        ("results", "outputSchema", (tool.output_schema,)),
    ):
        if why := next(filter(None, map(unusable, schemas)), ""):
            yield what, kind, why


def _with_query(path: str, query: Mapping[str, Any]) -> str:
    if not query:
        return path
    fields = {name: value for name, value in query.items() if value is not None}
    return path + ("&" if "?" in path else "?") + urlencode(fields, doseq=True)


def _texts(headers: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in headers.items()]
