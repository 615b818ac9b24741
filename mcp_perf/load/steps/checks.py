"""Expectations and saves of a step, compiled once: JMESPath on what came back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from jmespath.exceptions import JMESPathError

from mcp_perf.client.protocol import jsonrpc, unreadable
from mcp_perf.client.reply import UNREADABLE, Reply
from mcp_perf.load.replies.expected import Expectation
from mcp_perf.load.replies.output_check import OutputCheck
from mcp_perf.load.replies.shown import paths
from mcp_perf.load.steps.expressions import getter
from mcp_perf.outcomes import CHECK_FAILED, HTTP_ERROR, OK, RATE_LIMITED, RPC_ERROR
from mcp_perf.scenario.values.templates import LookupFailed, TooLong

_decode = msgspec.json.Decoder().decode

_ANSWERED: Final = (OK, HTTP_ERROR, RATE_LIMITED)
"""Outcomes of a complete answer. A call that timed out in its body has a status, too."""
_MOST_EXPLAINED: Final = 3
"""Failures of each step that say which paths there are."""


@dataclass(eq=False)
class Checks:
    """What a step expects, and what it saves for later steps.

    `root` turns a reply into what the expressions search: the body of an HTTP reply, the result of
    an MCP one.
    """

    root: Callable[[Reply], Any]
    accepted: tuple[str, ...] = (OK,)
    statuses: tuple[int, ...] = ()
    expects: Sequence[Expectation] = ()
    saves: Mapping[str, str] = field(default_factory=dict)
    output: OutputCheck | None = None

    def __post_init__(self) -> None:
        self._expects = [(getter(one.path), one.wanted, one) for one in self.expects]
        self._saves = [(name, path, getter(path)) for name, path in self.saves.items()]
        self._explained = 0
        self._needs_root = bool(self._expects or self._saves)

    def judge(self, reply: Reply, values: dict[str, Any]) -> str:
        """Return the class the call ends in; saves go into `values`, reasons into the reply."""
        if self.statuses:
            if reply.outcome not in _ANSWERED or reply.status not in self.statuses:
                return self._wrong_status(reply)
        elif reply.outcome not in self.accepted:
            if reply.outcome == OK:
                wanted = " or ".join(self.accepted)
                reply.fail(CHECK_FAILED, f"the call succeeded, expected {wanted}")
            return reply.outcome
        elif reply.outcome == RPC_ERROR and not jsonrpc.is_error(reply):
            return RPC_ERROR  # no answer to this call, whatever the step expects
        output = self.output
        looked = output is not None and reply.outcome == OK and output.share.due()
        if self._needs_root or looked:
            problem = self._inspect(reply, values, output if looked else None)
            if problem:
                reply.fail(CHECK_FAILED, problem)
                return CHECK_FAILED
        if output is not None and not looked and reply.outcome == OK:
            output.counts.unchecked += 1
        return OK

    def _wrong_status(self, reply: Reply) -> str:
        if reply.outcome == OK:
            wanted = " or ".join(map(str, self.statuses))
            moved = f" ({reply.detail})" if reply.detail else ""
            reply.fail(CHECK_FAILED, f"HTTP {reply.status}, expected {wanted}{moved}")
        return reply.outcome

    def _inspect(self, reply: Reply, values: dict[str, Any], output: OutputCheck | None) -> str:
        try:
            if not self._needs_root:
                return output.of_body(reply.body) if output is not None else ""
            root = self.root(reply)
        except UNREADABLE as error:
            fault = unreadable.read(reply.body).fault or error
            return f"the reply is not JSON ({fault}): {reply.excerpt(120)}"
        if output is not None and (problem := output.of_result(root)):
            return problem
        try:
            return self._compare(root, values) or self._keep(root, reply, values)
        except JMESPathError as error:  # such as the length of a missing value
            return f"expect or save: {error}{self._there(root)}"

    def _there(self, root: Any) -> str:
        """Say which paths there are, for the first failures only: it costs, and one is shown."""
        if self._explained == _MOST_EXPLAINED:
            return ""
        self._explained += 1
        found = paths(root)
        return f"; the reply has {found}" if found else ""

    def _compare(self, root: Any, values: dict[str, Any]) -> str:
        for get, template, expectation in self._expects:
            try:
                wanted = None if template is None else template.render(values)
            except (LookupFailed, TooLong) as error:
                return f"expect {expectation.path}: {error}"
            found = get(root)
            if found.__class__ is str and found == wanted:
                continue  # most expectations are met here
            if not expectation.meets(found, wanted):
                there = self._there(root) if found is None else ""
                return expectation.problem(found, wanted) + there
        return ""

    def _keep(self, root: Any, reply: Reply, values: dict[str, Any]) -> str:
        for name, path, get in self._saves:
            found = get(root)
            if found is None:
                there = self._there(root)
                return f"save {name}: nothing at {path} in {reply.excerpt(120)}{there}"
            values[name] = found
        return ""


def result_root(reply: Reply) -> Any:
    """Return what the expressions of an MCP step search: the result, or the error."""
    message = _decode(reply.body)
    if message.__class__ is not dict:
        return message
    if reply.outcome == RATE_LIMITED:
        return message.get("error", message.get("result"))
    return message.get("error" if reply.outcome == RPC_ERROR else "result")
