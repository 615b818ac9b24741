"""Every call with its request and answer: `--log-calls` writes them, and a dry run shows them."""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
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

MOST_BYTES: Final = 64 * 1024 * 1024  # in the file, from all processes together
logger = logging.getLogger("mcp-perf")
LoggedCall = dict[str, str | float]
"""A line of the file, redacted and cut as in a report: docs/explanation/measurement.md."""


class LoggedStep(NamedTuple):
    """Runs instead of a step, and keeps its request."""

    goes_on: bool
    run: Callable[[CallContext[Any]], str]


@dataclass(eq=False, kw_only=True)
class LoggedRecorder(Recorder):
    """Counts calls like any recorder, and hands over each call whole."""

    log: Callable[[LoggedCall], None]
    asked: dict[gevent.Greenlet, str] = field(default_factory=dict)
    """Greenlet -> the request of the call that it makes."""

    def follow(self, step: Runnable, request: Template) -> LoggedStep:
        """Keep the request of a step while its call is made."""

        def run(context: CallContext[Any]) -> str:
            here = gevent.getcurrent()
            # Rendered before the call, which may save other values. The call reports failures.
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
        # A request that opens a session does not belong to a journey.
        request = self.asked.get(gevent.getcurrent(), "") if journey else ""
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
    """Return what makes a run's recorder. `file` gets the calls, if any. Raises Refusal."""
    if not file:
        return Recorder
    try:
        Path(file).open("ab").close()
    except OSError as error:
        why = f"the file cannot be written ({error.strerror}); name another file"
        raise Refusal(f"--log-calls {file}: {why}") from error
    return partial(LoggedRecorder, log=partial(append, Path(file)))


def append(path: Path, call: LoggedCall) -> None:
    """Write a line in one piece, because several processes write; skip it if the file is full."""
    try:
        with path.open("ab", buffering=0) as file:
            if file.tell() < MOST_BYTES:
                file.write(msgspec.json.encode(call) + b"\n")
            else:
                _say_once(path, f"it has {MOST_BYTES // 1024 // 1024} MiB")
    except OSError as error:
        _say_once(path, str(error.strerror))


@cache
def _say_once(path: Path, why: str) -> None:
    logger.warning("--log-calls %s: the file does not have the calls from now on (%s)", path, why)
