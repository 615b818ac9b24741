"""Every call with its request and answer: what `--log-calls` writes, and a dry run shows."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import gevent
import msgspec

from mcp_perf.client.reply import Reply, clipped
from mcp_perf.load.hub.redaction import clean
from mcp_perf.load.replies.shown import shown
from mcp_perf.load.steps.journey import Runnable
from mcp_perf.load.steps.recorder import Recorder, Track
from mcp_perf.load.steps.step import CallContext
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.scenario.values.templates import Template

MOST_BYTES: Final = 64 * 1024 * 1024  # of the file, from all processes together
LoggedCall = dict[str, str | float]
"""A line of the file, redacted and cut as in a report: docs/explanation/measurement.md."""


class LoggedStep(NamedTuple):
    """What runs instead of a step."""

    goes_on: bool
    run: Callable[[CallContext[Any]], str]


@dataclass(eq=False, kw_only=True)
class LoggedRecorder(Recorder):
    """Counts calls as any recorder, and hands each of them over whole."""

    log: Callable[[LoggedCall], None]
    asked: dict[gevent.Greenlet, str] = field(default_factory=dict)
    """The request of the call that a greenlet makes."""

    def follow(self, step: Runnable, request: Template) -> LoggedStep:
        """Keep what a step asks for while its call is made."""

        def run(context: CallContext[Any]) -> str:
            here = gevent.getcurrent()
            # Before the call, which may save other values, or say what cannot be made of them.
            with contextlib.suppress(Exception):
                self.asked[here] = msgspec.json.encode(request.render(context.values)).decode()
            try:
                return step.run(context)
            finally:
                self.asked.pop(here, None)

        return LoggedStep(step.goes_on, run)

    def call(
        self, track: Track, journey: str, cls: str, reply: Reply, lag_ns: int | None = None
    ) -> None:
        super().call(track, journey, cls, reply, lag_ns)
        self._hand_over(track, journey, cls, reply)

    def setup(self, arm: str, name: str, reply: Reply) -> None:
        super().setup(arm, name, reply)
        self._hand_over(Track(arm, "call", name), "", reply.outcome, reply)

    def _hand_over(self, track: Track, journey: str, cls: str, reply: Reply) -> None:
        request = self.asked.get(gevent.getcurrent(), "") if journey else ""  # not of a session
        self.log(
            {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "arm": track.arm,
                "journey": journey,
                "step": track.name,
                "class": cls,
                "ms": (reply.end_ns - reply.start_ns) / 1e6,
                "request": clean(clipped(request)),
                "answer": clean(shown(reply.body)),
                "detail": clean(reply.detail),
            }
        )


def recorder_for(file: str) -> Callable[..., Recorder]:
    """Return what makes the recorder of a run with a file for calls, or none. Raises Refusal."""
    if not file:
        return Recorder
    try:
        Path(file).open("ab").close()
    except OSError as error:
        why = f"the file cannot be written ({error.strerror}); name another file"
        raise Refusal(f"--log-calls {file}: {why}") from error
    return partial(LoggedRecorder, log=partial(append, Path(file)))


def append(path: Path, call: LoggedCall) -> None:
    """Write a line at once, so that several processes break none, as long as there is room."""
    with contextlib.suppress(OSError), path.open("ab", buffering=0) as file:
        if file.tell() < MOST_BYTES:
            file.write(msgspec.json.encode(call) + b"\n")
