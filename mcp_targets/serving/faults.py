"""Faults on demand: which replies go wrong, and how. Seeded, and counted exactly.

A reply gets at most one fault, so the rates add up. `POST /_faults` sets them.
"""

import random
from typing import Annotated, Final

import msgspec

from mcp_targets.serving.httpd import Cut, Reply, Reset, Slow

KINDS: Final = ("error", "reset", "stall", "malformed", "html", "slow", "cut")

_HTML: Final = (
    b"<html><head><title>502 Bad Gateway</title></head>"
    b"<body><center><h1>502 Bad Gateway</h1></center></body></html>\n"
)

Rate = Annotated[float, msgspec.Meta(ge=0, le=1)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0)]


def share(text: str) -> float:
    """Read a share such as `1%`. Raises ValueError."""
    number = float(text.removesuffix("%")) / 100 if text.endswith("%") else -1.0
    if not 0 <= number <= 1:
        raise ValueError(f"{text!r} is not a share: write one such as 1%")
    return number


class Rates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The share of replies that get each kind of fault."""

    error_rate: Rate = 0.0
    """The server reports a failure in the way of its protocol."""
    reset_rate: Rate = 0.0
    """A TCP reset instead of a reply."""
    stall_rate: Rate = 0.0
    """The correct reply, `stall_ms` later."""
    stall_ms: Milliseconds = 1000.0
    malformed_rate: Rate = 0.0
    """JSON that ends halfway."""
    html_rate: Rate = 0.0
    """A proxy's page: 502 and text/html."""
    slow_rate: Rate = 0.0
    """The head at once, the body in pieces over `slow_ms`."""
    slow_ms: Milliseconds = 1000.0
    cut_rate: Rate = 0.0
    """The connection closes in the middle of the body."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse rates whose sum exceeds 1."""
        total = sum(self.shares())
        if total > 1 + 1e-9:
            raise ValueError(f"the rates add up to {total:g}; together they must not exceed 1")

    def shares(self) -> tuple[float, ...]:
        """Return the rates in the order of KINDS."""
        return tuple(getattr(self, f"{kind}_rate") for kind in KINDS)


class Faults:
    """Draw faults at the given rates and count them."""

    def __init__(self, rates: Rates | None = None) -> None:
        self.counts = dict.fromkeys(KINDS, 0)
        self.set(rates or Rates())

    def set(self, rates: Rates) -> None:
        """Use new rates and restart the random sequence; the counts continue."""
        self.rates = rates
        self._shares = rates.shares()
        self._none = not any(self._shares)
        self._rng = random.Random(rates.seed)

    def draw(self) -> str:
        """Count and return the kind of fault for the next reply, or return ""."""
        if self._none:
            return ""
        left = self._rng.random()
        for kind, share in zip(KINDS, self._shares, strict=True):
            left -= share
            if left < 0:
                self.counts[kind] += 1
                return kind
        return ""

    def spoil(self, kind: str, reply: Reply) -> Reply:
        """Return the reply with the fault applied; `error` is left to the application."""
        match kind:
            case "reset":
                reply.fault = Reset()
            case "stall":
                reply.after_s += self.rates.stall_ms / 1000
            case "malformed":
                reply.body = malformed(reply.body)
            case "html":
                return Reply(_HTML, 502, b"text/html", after_s=reply.after_s)
            case "slow":
                reply.fault = Slow(self.rates.slow_ms / 1000)
            case "cut":
                reply.fault = Cut()
        return reply


def malformed(body: bytes) -> bytes:
    """Return the first half of a JSON text."""
    return body[: len(body) // 2]
