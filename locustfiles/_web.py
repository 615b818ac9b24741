"""The door in the browser: Locust's own page starts our runs."""

from typing import Any

from flask import jsonify, request
from locust.util.timespan import parse_timespan
from werkzeug.datastructures import ImmutableMultiDict

from locustfiles import _options
from locustfiles._prepare import DEFAULT_SCENARIO, Wish, prepare
from locustfiles._refusal import Refusal
from locustfiles._session import Session


def install(web_ui: Any, session: Session) -> None:
    """Wrap Locust's start of a test: the scenario is read, checked and reached first.

    What is wrong with it appears in the form as Locust's own red message, and nothing is sent.
    """
    _options.FormChoices.active = True
    start = web_ui.app.view_functions["locust.swarm"]

    @web_ui.auth_required_if_enabled  # type: ignore[untyped-decorator, unused-ignore]
    def swarm() -> Any:
        if session.runner.state not in ("ready", "stopped"):
            return start()
        try:
            session.adopt(prepare(_form_wish(request.form)))
        except (Refusal, ValueError) as problem:
            host = session.environment.host
            return jsonify({"success": False, "message": str(problem), "host": host})
        # Locust would stop the run by its clock; our rounds were fitted into that time already.
        kept = [(key, value) for key, value in request.form.items() if key != "run_time"]
        request.form = ImmutableMultiDict(kept)
        return start()

    web_ui.app.view_functions["locust.swarm"] = swarm


def _form_wish(form: Any) -> Wish:
    """Read the wish off Locust's form. Raises ValueError on a time that is none."""
    run_time = form.get("run_time") or None
    return Wish(
        scenario=form.get("scenario") or DEFAULT_SCENARIO,
        targets=_options.several(form.get("target", "")),
        users=int(form["user_count"]) if form.get("user_count") else None,
        spawn_rate=float(form["spawn_rate"]) if form.get("spawn_rate") else None,
        run_time_s=parse_timespan(run_time) if run_time else None,
    )
