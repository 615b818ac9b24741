"""What several nodes saw in the ok replies of one step, added up."""

from collections import Counter

from msgspec.structs import replace

from mcp_perf.results.journal.records import LookedReplies


def together(one: LookedReplies, other: LookedReplies) -> LookedReplies:
    """Add what was seen later, or by another node; the first example stays."""
    alike = Counter(one.alike)
    alike.update(other.alike)
    return replace(
        one,
        looked=one.looked + other.looked,
        like_errors=one.like_errors + other.like_errors,
        empty=one.empty + other.empty,
        example=one.example or other.example,
        alike=dict(alike),
        varied=sorted({*one.varied, *other.varied}),
    )


def alike(seen: LookedReplies) -> int:
    """Return how often the commonest reply came that came for different arguments."""
    return max((seen.alike.get(digest, 0) for digest in seen.varied), default=0)
