"""What the live page shows: the arms of a scenario, and a run that may not be over."""

from typing import Any, Final

from mcp_perf.load.hub.redaction import clean, hide
from mcp_perf.load.lifecycle.keeping import KeepingSide
from mcp_perf.load.plan.description import described
from mcp_perf.load.prepare.prepare import RunOptions, read
from mcp_perf.load.targets import confidential
from mcp_perf.results.render.files import html
from mcp_perf.results.render.files.so_far import context
from mcp_perf.results.render.words import load_words, wording
from mcp_perf.results.report.so_far import SoFar

_KINDS: Final = {"mcp": "MCP server", "http": "HTTP API", "python": "Python object"}


def arms(options: RunOptions) -> str:
    """Show the arms of a scenario with their targets. Raises Refusal if it cannot be read."""
    loaded = read(options)
    found = loaded.scenario.arms
    pointed = dict(text.split("=", 1) for text in options.targets if "=" in text)
    lines = {name: pointed.get(name, arm.address) for name, arm in found.items()}
    hide(confidential.of_run(loaded, options.settings, lines.values()))
    shown = [
        # `own` is the scenario's target, and `line` what Locust was started with, if anything.
        {"name": name, "kind": _KINDS[arm.kind], "own": clean(arm.address), "line": clean(line)}
        for (name, arm), line in zip(found.items(), lines.values(), strict=True)
    ]
    load = load_words.describe(described(loaded.scenario.load))
    return html.page("live_arms.html.j2", lines, scenario=loaded.scenario, load=load, targets=shown)


def known(keeping: KeepingSide, so_far: SoFar | None, base: str) -> dict[str, Any]:
    """Return what the templates are filled with."""
    stage = keeping.stage
    final = keeping.report if stage == "over" else None
    if final is not None and so_far is not None:
        so_far.conclude(final)
    of_run = {} if so_far is None or stage in ("idle", "starting") else context(so_far)
    return {
        "stage": stage,
        "base": base,
        "final": final,
        "summary": "" if final is None else wording.summary(final),
        "connected": keeping.environment.runner.user_count,
        **of_run,
    }
