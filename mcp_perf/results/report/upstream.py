"""What the simulated providers behind an arm were asked, over its measured rounds."""

from mcp_perf.results.document.target_numbers import UpstreamNumbers
from mcp_perf.results.tally.tally import RunTally


def upstream_numbers(tally: RunTally, arm: str, journeys: int) -> UpstreamNumbers | None:
    """Sum up the providers' own counts; None if a round lacks them."""
    turns = tally.measured(arm)
    known = [turn.upstream for turn in turns if turn.upstream is not None]
    if not known or len(known) < len(turns):
        return None
    requests = sum(use.requests for use in known)
    connections = sum(use.connections for use in known)
    return UpstreamNumbers(
        requests=requests,
        connections=connections,
        requests_per_journey=requests / journeys if journeys else None,
        connections_per_journey=connections / journeys if journeys else None,
        max_in_parallel=max(use.max_in_parallel for use in known),
    )
