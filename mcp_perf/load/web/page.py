"""The door in the browser: Locust's own page starts our runs."""

from dataclasses import replace
from typing import Any, Final, TypeVar

from flask import jsonify, request, send_file
from locust.util.timespan import parse_timespan
from werkzeug.datastructures import ImmutableMultiDict

from mcp_perf.load.lifecycle.keeping import KeepingSide
from mcp_perf.load.prepare import options as locust_options
from mcp_perf.load.prepare.prepare import DEFAULT_SCENARIO, RunOptions, prepare
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.scenario.model.targets import LOCAL_CODE

Number = TypeVar("Number", int, float)

REPORT_PATH: Final = "/mcp-perf/report"
_READ_BY_US: Final = ("run_time", "target")
"""What Locust must not see: it would stop the run by its own clock, although our rounds were fitted
into that time; and it takes the texts of a list that was empty for whole numbers."""


def install(web_ui: Any, keeping: KeepingSide) -> None:
    """Wrap Locust's start of a test: the scenario is read, checked and reached first.

    What is wrong with it appears in the form as Locust's own red message, and nothing is sent.
    """
    locust_options.FormChoices.active = True
    environment = web_ui.environment
    given = environment.parsed_options.scenario
    start = web_ui.app.view_functions["locust.swarm"]

    @web_ui.auth_required_if_enabled  # type: ignore[untyped-decorator, unused-ignore]
    def swarm() -> Any:
        if environment.runner.state in ("ready", "stopped"):
            try:
                asked = _asked(request.form, environment.parsed_options)
                keeping.adopt(prepare(replace(asked, local_code=_trusted(asked, given))))
            except (Refusal, ValueError) as problem:
                said = {"success": False, "message": str(problem), "host": environment.host}
                return jsonify(said)
        kept = [(key, value) for key, value in request.form.items() if key not in _READ_BY_US]
        request.form = ImmutableMultiDict(kept)
        return start()

    web_ui.app.view_functions["locust.swarm"] = swarm
    _offer_report(web_ui, keeping)


def _offer_report(web_ui: Any, keeping: KeepingSide) -> None:
    base = web_ui.environment.parsed_options.web_base_path or ""
    link = {"href": f"{base}{REPORT_PATH}", "title": "mcp-perf report: verdict and comparison"}
    web_ui.template_args.update(extended_csv_files=[link])

    @web_ui.app.route(f"{base}{REPORT_PATH}")  # type: ignore[untyped-decorator, unused-ignore]
    @web_ui.auth_required_if_enabled  # type: ignore[untyped-decorator, unused-ignore]
    def mcp_perf_report() -> Any:
        folder = keeping.last_folder
        if folder is None or not (folder / "report.html").is_file():
            return "There is no report yet: it is written when a run ends.", 404
        return send_file((folder / "report.html").resolve())


def _asked(form: Any, options: Any) -> RunOptions:
    """Read the form; the rest is as the command line has it. Raises ValueError, in its words."""
    started = locust_options.run_options(options)
    run_time = form.get("run_time")
    return RunOptions(
        scenario=form.get("scenario") or DEFAULT_SCENARIO,
        targets=locust_options.several(form.get("target", "")),
        users=_number(form, "user_count", int, "the number of users"),
        spawn_rate=_number(form, "spawn_rate", float, "the spawn rate"),
        run_time_s=parse_timespan(run_time) if run_time else None,
        baseline=started.baseline,
        tolerance=started.tolerance,
        store=started.store,
    )


def _trusted(asked: RunOptions, given: str) -> bool:
    """Tell whether what the form asks for may run code of this machine.

    Anybody who reaches the page can type a path or a command; a name is known here already.
    """
    known = asked.scenario == given or asked.scenario in locust_options.names()
    typed = [target.partition("=")[2].partition(":")[0] for target in asked.targets]
    return known and not set(typed) & set(LOCAL_CODE)


def _number(form: Any, field: str, read: type[Number], what: str) -> Number | None:
    text = form.get(field)
    if not text:
        return None
    try:
        return read(text)
    except ValueError:
        kind = "whole number" if read is int else "number"
        raise ValueError(f"{what} is {text!r}; write a {kind} above 0") from None
