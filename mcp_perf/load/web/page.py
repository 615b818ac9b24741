"""Starts our runs from Locust's own page."""

from typing import Any

from flask import jsonify, request, send_file
from locust import argument_parser
from locust.util.timespan import parse_timespan
from werkzeug.datastructures import ImmutableMultiDict

from mcp_perf.load.lifecycle.keeping import KeepingSide
from mcp_perf.load.lifecycle.working import USER
from mcp_perf.load.prepare import options as locust_options
from mcp_perf.load.prepare.permission import permit_more
from mcp_perf.load.prepare.prepare import prepare
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.load.web import form, live, locust_page
from mcp_perf.load.web.admission import LIVE

REPORT_PATH = "/mcp-perf/report"


def install(web_ui: Any, keeping: KeepingSide) -> None:
    """Wrap Locust's start of a test, to read, check and reach the scenario first.

    If something is wrong, the form shows it as Locust's own red message, and nothing is sent.
    """
    locust_options.FormChoices.active = True
    environment = web_ui.environment
    started = locust_options.run_options(environment.parsed_options)
    picker = form.OF_PICKER if web_ui.userclass_picker_is_active else ()
    shown = {*form.LOCUSTS, *picker, *argument_parser.ui_extra_args_dict()}
    start = web_ui.app.view_functions["locust.swarm"]
    others = any(user.__name__ != USER for user in environment.user_classes)
    """Whether the host is that of users from another locustfile."""

    def refused(problem: Exception) -> Any:
        return jsonify({"success": False, "message": str(problem), "host": environment.host})

    def swarm() -> Any:
        given = request.form
        try:
            form.require_known(given, shown)
        except Refusal as problem:
            return refused(problem), 400
        try:
            if environment.runner.state in ("spawning", "running") and form.is_edit(given):
                _permit(keeping, form.users(given))
                changed = ((name, given.get(name, "")) for name in form.OF_LOAD)
                request.form = ImmutableMultiDict(changed)
                return start()
            with keeping.starting():
                asked = form.asked(given, started, parse_timespan)
                run = keeping.adopt(prepare(asked if others else form.aimed(asked, given)))
                load = [("user_count", str(run.users)), ("spawn_rate", str(run.spawn_rate))]
                kept = [pair for pair in given.items(multi=True) if pair[0] not in form.READ_BY_US]
                request.form = ImmutableMultiDict([*kept, *load])
                return start()
        except (Refusal, ValueError) as problem:
            return refused(problem)

    web_ui.app.view_functions["locust.swarm"] = swarm
    _offer_report(web_ui, keeping)
    live.install(web_ui, keeping, started)
    locust_page.install(web_ui, hides_host=not others)


def _permit(keeping: KeepingSide, users: int | None) -> None:
    """Refuse more users than the owners of a public host have consented to. Raises Refusal."""
    if keeping.run is not None and users is not None:
        now, options = keeping.run.prepared, keeping.run.prepared.options
        lines = {name: target.url for name, target in now.targets.items()}
        typed = (*options.targets, *options.settings)
        permit_more(now.loaded, lines, users, typed, options.allow)


def _offer_report(web_ui: Any, keeping: KeepingSide) -> None:
    base = web_ui.environment.parsed_options.web_base_path or ""
    links = (
        (REPORT_PATH, "mcp-perf report: verdict and comparison"),
        (LIVE, "Live page: control against mcp"),
        ("/logout", "Log out"),
    )
    web_ui.template_args.update(
        extended_csv_files=[{"href": f"{base}{path}", "title": title} for path, title in links]
    )

    @web_ui.app.route(f"{base}{REPORT_PATH}")  # type: ignore[untyped-decorator, unused-ignore]
    def mcp_perf_report() -> Any:
        folder = keeping.last_folder
        if folder is None or not (folder / "report.html").is_file():
            return "There is no report yet: it is written when a run ends.", 404
        return send_file((folder / "report.html").resolve())
