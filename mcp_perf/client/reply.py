"""The result of one call: data, even if the call failed."""

from typing import Any, Final, NamedTuple

import msgspec

from mcp_perf.outcomes import OK

LONGEST: Final = 2000
"""How many characters are kept of any text from a target."""

REOPENED: Final = 1
REJOINED: Final = 2
NOT_REOPENED: Final = 3
"""What a call did after the server had lost its session: it opened another one, continued in one
that a concurrent call had opened, or could not open any."""

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a hostile body makes `Reply.json` raise: not JSON, not UTF-8, nested without end."""


class Heard:
    """The notifications that came with a call: how many of each kind, and when."""

    __slots__ = ("counts", "first_ns", "last_ns", "longest_gap_ns")

    def __init__(self, now_ns: int) -> None:
        self.counts: dict[str, int] = {}
        self.first_ns = now_ns
        self.last_ns = now_ns
        self.longest_gap_ns = 0
        """The longest time between two of them."""

    def add(self, method: str, now_ns: int) -> None:
        self.counts[method] = self.counts.get(method, 0) + 1
        self.longest_gap_ns = max(self.longest_gap_ns, now_ns - self.last_ns)
        self.last_ns = now_ns

    def longest_silence_ns(self, end_ns: int) -> int:
        """Return the longest silence between the first notification and the end of the call."""
        return max(self.longest_gap_ns, end_ns - self.last_ns)

    def told(self, start_ns: int) -> str:
        """Say how many came, when the first did, and how far apart they were at most."""
        count = sum(self.counts.values())
        text = f"{count} notifications, the first after {(self.first_ns - start_ns) / 1e6:.1f} ms"
        return f"{text}, at most {self.longest_gap_ns / 1e6:.1f} ms apart" if count > 1 else text


class Stop(NamedTuple):
    """How long the server took to end a call after its cancellation."""

    ns: int
    """From the send of the cancellation."""
    told: bool
    """False: the server had not ended it by then."""


class Reply:
    """The end of one call.

    `outcome` is one of the classes in `mcp_perf.outcomes`, decided by what the target sent;
    expectations of the caller are judged later. `body` holds the decoded HTTP body, or the JSON-RPC
    message that answered; times are nanoseconds of the engine's monotonic clock. `heard` is None if
    no notification came. `session_lost` is 0 if the session held, otherwise `REOPENED`, `REJOINED`
    or `NOT_REOPENED`. `healed` says what the call had to mend: one of the kinds in
    `protocol.session_loss`, or empty if there was nothing. `retry_after_s` is how long an HTTP
    error asks to be left alone; 0 if it does not.
    """

    __slots__ = (
        "body",
        "bytes_in",
        "bytes_out",
        "detail",
        "end_ns",
        "healed",
        "heard",
        "outcome",
        "retry_after_s",
        "session_lost",
        "start_ns",
        "status",
    )

    def __init__(self, start_ns: int) -> None:
        self.outcome: str = OK
        self.detail: str = ""
        self.status: int = 0
        self.body: bytes = b""
        self.start_ns: int = start_ns
        self.end_ns: int = start_ns
        self.bytes_in: int = 0
        self.bytes_out: int = 0
        self.session_lost: int = 0
        self.healed: str = ""
        self.retry_after_s: float = 0.0
        self.heard: Heard | None = None

    def fail(self, outcome: str, detail: str) -> "Reply":
        self.outcome = outcome
        self.detail = clipped(detail)
        return self

    def json(self) -> Any:
        """Decode the body. Raises one of `UNREADABLE` if it is not JSON."""
        return msgspec.json.decode(self.body)

    def excerpt(self, limit: int = 300) -> str:
        return clipped(self.body[: limit * 4].decode("utf-8", "replace"), limit)


def ignore(*_told: object) -> None:
    """Observe nothing."""


def members(value: Any) -> dict[str, Any]:
    """Return the members of a JSON object; anything else has none."""
    return value if isinstance(value, dict) else {}


def beginning(body: bytes, limit: int = 120) -> str:
    """Return the beginning of a body as one line of text, for messages."""
    return clipped(" ".join(body[: limit * 4].decode("utf-8", "replace").split()), limit)


def clipped(text: str, limit: int = LONGEST) -> str:
    """Cut a text off; the mark at its end shows a redactor that it was cut."""
    return text if len(text) <= limit else f"{text[:limit]}…"
