"""Where recorded calls go: a file, one line each, and the session API if one is named."""

import contextlib
import json
import os
import queue
import threading
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, urlsplit

import msgspec

from mcp_perf import settings
from mcp_perf.numbers import counted
from mcp_perf.outcomes import OK
from mcp_perf.scenario.problems.wording import InputError
from mcp_perf.scenario.values.recordings import RecordedCall, RecordingHead

Say = Callable[[str], object]
_MOST_WAITING: Final = 10_000
_TIMEOUT_S: Final = 5.0
_encode: Final = msgspec.json.Encoder().encode


class RecordingFile:
    """Appends lines as they come, so a recorder that fails does not lose earlier ones."""

    def __init__(self, path: Path, head: RecordingHead, say: Say) -> None:
        """Begin a recording, possibly after another one. Raises OSError if that cannot be done."""
        self.path = path
        self.calls = 0
        self.sessions: set[str] = set()
        self._say = say
        self._broken = False
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        size = os.fstat(self._file).st_size
        torn = size > 0 and os.pread(self._file, 1, size - 1) != b"\n"
        self._append(b"\n" * torn + _encode(head))

    def write(self, call: RecordedCall) -> None:
        """Append a call. If the disk is full, say so once, and record nothing more."""
        self._append(_encode(call))
        if not self._broken:
            self.calls += 1
            self.sessions.add(call.session)

    def _append(self, line: bytes) -> None:
        left = memoryview(line + b"\n")
        try:
            while left and not self._broken:
                left = left[os.write(self._file, left) :]
        except OSError as error:
            self._broken = True
            self._say(
                f"{self.path} cannot be written: {error.strerror}. Traffic "
                f"continues, but only {counted(self.calls, 'call')} are recorded"
            )


class SessionApi:
    """Sends tool calls to the session API, without holding the traffic up."""

    def __init__(self, url: str, about: Mapping[str, Any], say: Say) -> None:
        """Begin to send; each session is created with `about`. Raises InputError.

        The key is in the address, as `mcp-perf agent serve` prints it, or in the settings.
        """
        parts = _address(url)
        root = parts._replace(query="", fragment="", path=parts.path.rstrip("/")).geturl()
        self._url = f"{root}/api/metrics/sessions"
        named = parse_qs(parts.query).get("key")
        self._key = named[0] if named else settings.current().agent_key.get_secret_value()
        self._about = about
        self._say = say
        self._ids: dict[str, str] = {}
        self._failed: set[str] = set()
        self._silent = False
        self._waiting: queue.Queue[RecordedCall | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def write(self, call: RecordedCall) -> None:
        """Queue a call to be sent soon."""
        if call.method == "tools/call":
            try:
                self._waiting.put_nowait(call)
            except queue.Full:
                self._complain("it is too slow")

    def close(self) -> None:
        """Send the calls that are left, and complete the sessions."""
        self._waiting.put(None)
        self._thread.join(2 * _TIMEOUT_S)

    def _run(self) -> None:
        while (call := self._waiting.get()) is not None:
            self._try(self._tell, call)
        for session in self._ids:
            self._try(self._complete, session)

    def _tell(self, call: RecordedCall) -> None:
        if call.session not in self._ids:
            self._ids[call.session] = str(self._post("", self._about)["sessionId"])
        if call.outcome != OK:
            self._failed.add(call.session)
        told = {
            "endpoint": call.tool or "unknown",
            "method": call.method,
            "success": call.outcome == OK,
            "details": {"outcome": call.outcome},
            "durationMs": call.ms,
            "tokensIn": call.tokens_in,
            "tokensOut": call.tokens_out,
        }
        self._post(f"/{self._ids[call.session]}/api-calls", told)

    def _complete(self, session: str) -> None:
        told = {"success": session not in self._failed, "notes": "recorded; tokens are estimated"}
        self._post(f"/{self._ids[session]}/complete", told)

    def _try(self, act: Callable[[Any], None], what: Any) -> None:
        try:
            act(what)
        except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
            self._complain(str(error))

    def _complain(self, why: str) -> None:
        if not self._silent:
            self._say(f"the session API does not accept the calls ({why}). Traffic continues")
        self._silent = True

    def _post(self, path: str, told: Mapping[str, Any]) -> Any:
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        body = json.dumps(told).encode()
        request = urllib.request.Request(self._url + path, body, headers)  # noqa: S310 -- checked
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as reply:  # noqa: S310
            return json.load(reply)


def _address(url: str) -> SplitResult:
    """Take the session API's address apart. Raises InputError."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts
    hint = "write http://HOST:PORT, as mcp-perf agent serve prints it"
    raise InputError("--session-api is not an address", hint)
