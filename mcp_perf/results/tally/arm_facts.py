"""What judging and reporting both ask about an arm."""

from mcp_perf.results.document.document import Latency
from mcp_perf.results.tally.groups import Tally
from mcp_perf.results.tally.metrics import FRACTIONS
from mcp_perf.results.tally.tally import RunTally


def unsampled(tally: RunTally, arm: str) -> str:
    """Say why it is not known what an arm's target used; nothing where it is."""
    described = tally.run.arms.get(arm, {}).get("resources")
    return "This run did not sample it." if described is None else str(described["why_not"])


def sharing(tally: RunTally, arm: str) -> list[str]:
    """Name the other arms that an arm's processes work for."""
    described = tally.run.arms.get(arm, {}).get("resources", {})
    return [str(other) for other in described.get("shared", ())]


def latency(tally: Tally) -> Latency:
    """Give the numbers of the latency."""
    percentiles = zip(FRACTIONS, tally.percentiles_ms(list(FRACTIONS.values())), strict=True)
    return Latency(n=tally.n, mean=tally.mean_ms(), max=tally.max_ms(), **dict(percentiles))
