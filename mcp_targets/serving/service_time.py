"""How long a simulated piece of work takes: seeded draws from distributions.

Written as text (`5ms`, `90%:5ms,9%:20ms,1%:200ms`) or, in provider files, also as
`{lognormal: {median_ms: 4, sigma: 0.35}}` or `{quantiles: {0: 1, 0.5: 4, 0.99: 30, 1: 80}}` (ms).
"""

import argparse
import bisect
import itertools
import math
import random
import re
from typing import Any, Final

import msgspec

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s)")
_UNIT_S: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_HINT: Final = 'write a duration such as "5ms", or a mixture such as "90%:5ms,9%:20ms,1%:200ms"'


class Constant(msgspec.Struct, frozen=True):
    """Always the same time."""

    seconds: float = 0.0

    def draw_s(self, rng: random.Random) -> float:  # noqa: ARG002 -- nothing is left to chance
        return self.seconds

    def describe(self) -> str:
        return f"service time {_ms(self.seconds)}" if self.seconds else "no service time"


class Mixture(msgspec.Struct, frozen=True):
    """One of several times, each with a share; the last cumulated share is 1."""

    cumulated: tuple[float, ...]
    seconds: tuple[float, ...]

    def draw_s(self, rng: random.Random) -> float:
        return self.seconds[bisect.bisect_right(self.cumulated, rng.random())]

    def describe(self) -> str:
        return "service time a mixture of " + ", ".join(_ms(value) for value in self.seconds)


class LogNormal(msgspec.Struct, frozen=True):
    """exp(N(ln median, sigma)): right-skewed, as service times are."""

    median_s: float
    sigma: float

    def draw_s(self, rng: random.Random) -> float:
        return rng.lognormvariate(math.log(self.median_s), self.sigma)

    def describe(self) -> str:
        return f"log-normal service time, median {_ms(self.median_s)}"


class Quantiles(msgspec.Struct, frozen=True):
    """Recorded quantiles with linear interpolation: the inverse of an empirical distribution."""

    shares: tuple[float, ...]
    seconds: tuple[float, ...]

    def draw_s(self, rng: random.Random) -> float:
        return self.at(rng.random())

    def at(self, share: float) -> float:
        """Return the quantile of `share` (0 to 1) in seconds."""
        right = min(max(1, bisect.bisect_right(self.shares, share)), len(self.shares) - 1)
        left = right - 1
        width = self.shares[right] - self.shares[left]
        part = (share - self.shares[left]) / width
        return self.seconds[left] + part * (self.seconds[right] - self.seconds[left])

    def describe(self) -> str:
        return f"service time by recorded quantiles, median {_ms(self.at(0.5))}"


ServiceTime = Constant | Mixture | LogNormal | Quantiles
"""A distribution of times; each draw is in seconds."""


def parse(text: str) -> ServiceTime:
    """Read a duration or a mixture. Raises a ValueError that says what to write."""
    if ":" not in text:
        return Constant(_seconds(text))
    shares: list[float] = []
    seconds: list[float] = []
    for part in text.split(","):
        share, colon, duration = part.strip().partition(":")
        if not colon or not re.fullmatch(r"\d+(\.\d+)?%", share):
            raise ValueError(f"{part.strip()!r} is not part of a mixture: {_HINT}")
        shares.append(float(share[:-1]))
        seconds.append(_seconds(duration))
    if abs(sum(shares) - 100) > 1e-6:
        raise ValueError(f"the shares of {text!r} add up to {sum(shares):g}%, not to 100%")
    cumulated = [total / 100 for total in itertools.accumulate(shares)]
    return Mixture((*cumulated[:-1], 1.0), tuple(seconds))


def read(value: Any) -> ServiceTime:
    """Read a distribution from a provider file. Raises ValueError."""
    match value:
        case str():
            return parse(value)
        case {"lognormal": {"median_ms": int() | float() as median, "sigma": int() | float() as s}}:
            if median <= 0 or s < 0:
                raise ValueError("a log-normal time needs median_ms > 0 and sigma >= 0")
            return LogNormal(median / 1000, float(s))
        case {"quantiles": dict() as table}:
            return _quantiles(table)
    raise ValueError(
        f"{value!r} is not a service time: {_HINT}, or {{lognormal: "
        "{median_ms: 4, sigma: 0.35}}, "
        "or {quantiles: {0: 1, 0.5: 4, 1: 80}}"
    )


def _quantiles(table: dict[Any, Any]) -> Quantiles:
    shares = [float(share) for share in table]
    seconds = [float(ms) / 1000 for ms in table.values()]
    rising = shares == sorted(set(shares)) and seconds == sorted(seconds)
    if len(table) < 2 or not rising or (shares[0], shares[-1]) != (0, 1) or seconds[0] < 0:
        raise ValueError("quantiles must rise from share 0 to share 1, and so must their times")
    return Quantiles(tuple(shares), tuple(seconds))


def _seconds(text: str) -> float:
    found = _DURATION.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text.strip()!r} is not a duration: {_HINT}")
    return float(found[1]) * _UNIT_S[found[2]]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:g} ms"


def distribution(text: str) -> ServiceTime:
    """Read a duration or a mixture from a command line. Raises ArgumentTypeError."""
    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def argument(text: str) -> float:
    """Read one duration from a command line; return seconds. Raises ArgumentTypeError."""
    time = distribution(text)
    if not isinstance(time, Constant):
        raise argparse.ArgumentTypeError(f"{text!r}: write one duration, such as 40ms")
    return time.seconds
