"""The live page: control against mcp while a run goes on, and the verdict at its end.

Its Start and Stop do what the buttons of Locust's page do, so both pages show the run.
"""

import logging
import time
from dataclasses import dataclass, field
from typing import Any, Final

import gevent
from flask import request

from mcp_perf.load.hub.redaction import redactor
from mcp_perf.load.lifecycle.keeping import KeepingSide
from mcp_perf.load.prepare.prepare import RunOptions
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.load.web import form, live_view
from mcp_perf.load.web.admission import LIVE
from mcp_perf.results.journal.journal import redacted
from mcp_perf.results.journal.records import AnyRecord, RunStarted
from mcp_perf.results.render.files import html
from mcp_perf.results.report.so_far import SoFar
from mcp_perf.scenario.catalog import names

_FRESH_S: Final = 0.5
"""A request that comes this soon after another one gets the same answer."""
_LATER_S: Final = 0.001
"""A pause after a turn was judged, so that the timers it held up do not delay the next turn."""

logger = logging.getLogger("mcp-perf")


@dataclass(eq=False)
class LivePage:
    """Follows the runs of this process and shows them."""

    keeping: KeepingSide
    started: RunOptions
    base: str
    so_far: SoFar | None = None
    """The last run's; None before the first run, and after a fault of the page."""
    _shown: dict[str, tuple[float, str]] = field(default_factory=dict)

    def take(self, records: list[AnyRecord]) -> None:
        """Take in what was written to the journal. A fault of the page does not end the run."""
        try:
            for record in records:
                clean = redacted(record, redactor)
                if isinstance(clean, RunStarted):
                    self.so_far = SoFar.of(clean, time.perf_counter)
                elif self.so_far is not None and self.so_far.take(clean):
                    gevent.sleep(_LATER_S)
        except Exception:
            self.so_far = None
            logger.exception("The live page cannot follow this run; this is a fault of mcp-perf")

    def page(self) -> str:
        known = names()
        chosen = self.started.scenario
        scenarios = known if chosen in known else [chosen, *known]
        targets = self.arms(chosen)
        return self._filled("live.html.j2", scenarios=scenarios, chosen=chosen, targets=targets)

    def arms(self, scenario: str) -> str:
        try:
            return live_view.arms(form.named(scenario, self.started))
        except Refusal as refusal:
            return html.page("live_refused.html.j2", (), lines=refusal.lines)

    def now(self) -> str:
        stage = self.keeping.stage
        at_s, text = self._shown.get(stage, (0.0, ""))
        if not text or time.monotonic() - at_s > _FRESH_S:
            text = self._filled("live_now.html.j2")
            self._shown = {stage: (time.monotonic(), text)}
        return text

    def _filled(self, template: str, **more: Any) -> str:
        """Fill a template with what is known now."""
        known = live_view.known(self.keeping, self.so_far, self.base)
        return html.page(template, known.get("names", ()), **more, **known)


def install(web_ui: Any, keeping: KeepingSide, started: RunOptions) -> None:
    """Serve the live page, and link it from Locust's."""
    base = web_ui.environment.parsed_options.web_base_path or ""
    live = LivePage(keeping, started, base)
    keeping.watchers.append(live.take)
    app = web_ui.app
    app.add_url_rule(f"{base}{LIVE}", "mcp_perf_live", live.page)
    app.add_url_rule(f"{base}{LIVE}/now", "mcp_perf_live_now", live.now)
    app.add_url_rule(
        f"{base}{LIVE}/arms",
        "mcp_perf_live_arms",
        lambda: live.arms(request.args.get("scenario", "")),
    )
