"""Locust's `init`: the run is prepared before anything is sent, or refused with its exit code."""

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import psutil
from locust.runners import WorkerRunner

from mcp_perf.load.engine.lifecycle import USER, Session
from mcp_perf.load.hub.redaction import guard_process
from mcp_perf.load.prepare import options as locust_options
from mcp_perf.load.prepare.prepare import prepare, read
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.load.web import guard, login, page

logger = logging.getLogger("mcp-perf")
_sessions: list[Session] = []


class Hook:
    """What a caller wants done with each new session; `_headless` sets it."""

    on_session: Callable[[Session], None] | None = None


def init(environment: Any, web_ui: Any) -> None:
    """Attach a session to Locust's environment and prepare what is to run at once."""
    guard_process()
    options = environment.parsed_options
    headless = web_ui is None
    session = Session(environment, headless=headless)
    environment.mcp_perf = session
    _sessions[:] = [session]
    if Hook.on_session is not None:
        Hook.on_session(session)
    if isinstance(environment.runner, WorkerRunner):
        return
    names = (user.__name__ for user in environment.user_classes)
    if others := ", ".join(name for name in names if name != USER):
        logger.warning("%s: takes a share of the users; to keep it out, add %s", others, USER)
    if web_ui is not None:
        with _refusals():
            _protect(web_ui, options)
    if headless or options.autostart:
        with _refusals():
            session.adopt(prepare(locust_options.run_options(options)))
    elif options.num_users is None:
        _prefill(options)
    if web_ui is not None:
        page.install(web_ui, session)


def current() -> Session:
    """Return the session of this process, for an event that does not name its environment."""
    return _sessions[0]


def _protect(web_ui: Any, options: Any) -> None:
    """Lock the page, before it listens and before anything is sent. Raises Refusal."""
    served = guard.served_by(options)
    if options.web_login:
        login.install(web_ui, options, login.password(os.environ), https_only=served.https_only)
        if not served.https_only and not guard.is_loopback(options.web_host):
            logger.warning("the web page and its password are not encrypted: add --tls-cert")
    web_ui.app.wsgi_app = guard.Guard(web_ui.app.wsgi_app, served)


def _prefill(options: Any) -> None:
    """Put the scenario's own load into the form, so that Start is all there is to press."""
    with _refusals():
        load = read(locust_options.run_options(options)).scenario.load
    options.num_users = load.lanes
    options.spawn_rate = options.spawn_rate or load.spawn_rate or min(float(load.lanes), 100.0)


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except Refusal as refusal:
        for line in refusal.lines:
            logger.error("%s", line)
        _dismiss_workers()
        sys.exit(refusal.exit_code)


def _dismiss_workers() -> None:
    """End the workers that --processes forked: Locust 2.47 loses sight of those that still run."""
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            child.terminate()
