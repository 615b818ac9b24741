"""What failed, by arm, step and class, with an example of each."""

from collections.abc import Iterable, Iterator, Mapping

from mcp_perf.outcomes import FAILED, HARNESS_ERROR
from mcp_perf.results.document.document import Failure
from mcp_perf.results.tally.groups import Group
from mcp_perf.results.tally.tally import RunTally


def failed(arm: str, steps: Mapping[str, Group]) -> Iterator[tuple[str, str, str, int]]:
    """Yield (arm, step, class, count) of all failures of an arm's steps."""
    for step, group in steps.items():
        for cls, count in group.classes.items():
            if cls in FAILED or cls == HARNESS_ERROR:
                yield arm, step, cls, count


def failures(tally: RunTally, counts: Iterable[tuple[str, str, str, int]]) -> list[Failure]:
    """Return kinds of failure from (arm, step, class, count), the most frequent first."""
    found = []
    for arm, step, cls, count in counts:
        example = tally.examples.get((arm, step, cls), "")
        found.append(Failure(arm=arm, step=step, cls=cls, count=count, example=example))
    return sorted(found, key=lambda failure: -failure.count)
