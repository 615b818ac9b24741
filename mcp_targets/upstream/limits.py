"""Rate limits: token buckets, with the clock as an argument."""

from mcp_targets.upstream.provider import RateLimit


class Bucket:
    """Hold up to `requests` tokens, refilled evenly over `per_s` seconds."""

    def __init__(self, limit: RateLimit, now_s: float) -> None:
        self._size = float(limit.requests)
        self._per_token_s = limit.per_s / limit.requests
        self._tokens = self._size
        self._at_s = now_s

    def take(self, now_s: float) -> float:
        """Take a token and return 0, or return in how many seconds there will be one."""
        refill = (now_s - self._at_s) / self._per_token_s
        self._tokens = min(self._size, self._tokens + refill)
        self._at_s = now_s
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) * self._per_token_s
