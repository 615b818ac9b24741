"""Retry what is safe to do twice, by tenacity, with exponential backoff and jitter."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from pydantic import BaseModel, Field
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_exponential_jitter

from mcp_targets.business_tools.errors import Limited, Unavailable

T = TypeVar("T")


class RetryPolicy(BaseModel, frozen=True, extra="forbid"):
    """The number of attempts and the pauses between them."""

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
    """Return what the call returns. Raises the failure of the last of `policy.attempts`.

    A failure is retried if the request cannot have taken effect, or may take effect twice
    (`idempotent`). After a provider's 429 it is retried if the wait is short.
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
