"""What an unknown name may have meant."""

import difflib
from collections.abc import Collection

from mcp_perf.scenario.problems.wording import one_of

_LONGEST = 60
_MOST_NAMES = 16


def nearest(word: str, names: Collection[str]) -> str:
    """Return the known name that `word` resembles most, or an empty string."""
    # Matching is quadratic in the length, and nobody misspells a name into a page of text.
    folded = {name.lower(): name for name in names}
    matches = difflib.get_close_matches(word[:_LONGEST].lower(), folded, n=1, cutoff=0.6)
    return folded[matches[0]] if matches else ""


def suggest(word: str, names: Collection[str]) -> str:
    """Write the hint for an unknown name: the nearest one, or all of them."""
    if match := nearest(word, names):
        return f"did you mean {match!r}?"
    shown = sorted(names)
    if len(shown) > _MOST_NAMES:
        return f"write one of {', '.join(shown[:_MOST_NAMES])}, …"
    return f"write {one_of(shown)}" if shown else ""
