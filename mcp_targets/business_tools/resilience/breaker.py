"""A circuit breaker: after some failures in a row, calls fail at once for a while.

Written here for the half-open state: of 100 calls at once, purgatory 3.0 and pybreaker 1.4 both
let 100 through to the provider that has just failed; this one lets through a single probe.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Literal

from mcp_targets.business_tools.errors import ToolFailure, Unavailable

FAILURES: Final = 5
OPEN_S: Final = 60.0

State = Literal["closed", "open", "half-open"]


class Breaker:
    """The breaker of one provider. `clock` is monotonic, in seconds."""

    def __init__(self, provider: str, clock: Callable[[], float], failures: int = FAILURES) -> None:
        self._provider = provider
        self._clock = clock
        self._most = failures
        self._failed = 0
        self._opened_at: float | None = None
        self._probing = False
        self.opened = 0
        """How often it opened."""
        self.refused = 0
        """How many calls failed at once."""

    @property
    def state(self) -> State:
        if self._opened_at is None:
            return "closed"
        return "open" if self._clock() < self._opened_at + OPEN_S else "half-open"

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Let a call through and count how it ends. Raises ToolFailure if the breaker is open.

        Only `Unavailable` is a failure: a provider that refuses has answered. A cancelled call
        says nothing about the provider.
        """
        probe = self._admit()
        try:
            yield
        except Unavailable:
            self._failure(probe=probe)
            raise
        except ToolFailure:
            self._success(probe=probe)
            raise
        else:
            self._success(probe=probe)
        finally:
            if probe:
                self._probing = False

    def _admit(self) -> bool:
        """Return whether the call is the probe of a half-open breaker."""
        if self._opened_at is None:
            return False
        if self.state == "half-open" and not self._probing:
            self._probing = True
            return True
        self.refused += 1
        left_s = max(0.0, self._opened_at + OPEN_S - self._clock())
        raise ToolFailure(
            "CIRCUIT_OPEN",
            f"{self._provider} failed {self._most} times in a row and gets no calls for a while",
            f"Ask again in {left_s:.0f} s.",
            status=503,
            retry_after_s=left_s,
            provider=self._provider,
        )

    def _failure(self, *, probe: bool) -> None:
        self._failed += 1
        # Calls that began before it opened do not open it again.
        if probe or (self._opened_at is None and self._failed >= self._most):
            self._opened_at = self._clock()
            self.opened += 1

    def _success(self, *, probe: bool) -> None:
        if probe:
            self._opened_at = None
        if self._opened_at is None:
            self._failed = 0


class Breakers(dict[str, Breaker]):
    """The breakers by provider; each is made when it is first looked up."""

    def __missing__(self, provider: str) -> Breaker:
        self[provider] = Breaker(provider, time.monotonic)
        return self[provider]

    async def close(self) -> None:
        """Do nothing: there are no connections to close."""
