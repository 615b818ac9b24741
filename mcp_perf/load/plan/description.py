"""What a run and its report say about its load."""

from typing import Any

from mcp_perf.scenario.model.load import Load


def described(load: Load) -> dict[str, Any]:
    """Return what a report says about a load, as far as the scenario alone says it."""
    known: dict[str, Any] = {
        "model": "open" if load.open else "closed",
        "shape": "stages" if load.stages else "replay" if load.replay else load.shape,
        "users": load.most_users,
        "rounds": load.round_count,
        "round_s": load.round_s,
        "warmup_s": load.warmup,
        "think_s": list(load.think),
    }
    if load.stages:
        known["stages"] = [
            stage.model_dump(mode="json", exclude_none=True) for stage in load.stages
        ]
    if load.open:
        known |= {"rate_per_s": load.peak, "arrivals": load.arrivals}
    if load.calibrate:
        known["calibrate"] = load.calibrate
    return known
