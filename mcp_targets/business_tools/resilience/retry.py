"""Retry with tenacity what is safe to do twice, with exponential pauses and jitter."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from pydantic import BaseModel, Field
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_exponential_jitter

from mcp_targets.business_tools.errors import Limited, Unavailable

T = TypeVar("T")


class RetryPolicy(BaseModel, frozen=True, extra="forbid"):
    """How often, and with which pauses."""

    attempts: int = Field(default=3, ge=1, le=10)
    first_wait_s: float = Field(default=0.1, ge=0)
    most_wait_s: float = Field(default=2.0, ge=0)


ONCE: Final = RetryPolicy(attempts=1)


async def retried(
    call: Callable[[], Awaitable[T]],
    policy: RetryPolicy,
    *,
    idempotent: bool,
    on_retry: Callable[[], None] = lambda: None,
) -> T:
    """Return what the call returns, at the latest after `policy.attempts`; else the last failure.

    A failure is retried if the request cannot have been acted on, or may be acted on twice
    (`idempotent`). A provider's 429 is waited for, if it is short.
    """

    def worth_it(error: BaseException) -> bool:
        if isinstance(error, Limited):
            return error.code == "PROVIDER_RATE_LIMITED" and _pause(error) <= policy.most_wait_s
        return isinstance(error, Unavailable) and (idempotent or not error.sent)

    backoff = wait_exponential_jitter(
        multiplier=policy.first_wait_s, max=policy.most_wait_s, jitter=policy.first_wait_s
    )

    def wait_s(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return max(backoff(state), _pause(error))

    attempts = AsyncRetrying(
        stop=stop_after_attempt(policy.attempts),
        wait=wait_s,
        retry=retry_if_exception(worth_it),
        before_sleep=lambda _: on_retry(),
        reraise=True,
    )
    return await attempts(call)


def _pause(error: BaseException | None) -> float:
    return (error.retry_after_s or 0.0) if isinstance(error, Limited) else 0.0
