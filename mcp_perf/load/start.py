"""Locust's `init`: this process takes its role, and a run that begins at once is prepared."""

import logging
import os
from typing import Any

from locust.runners import MasterRunner, WorkerRunner

from mcp_perf import folders
from mcp_perf.load.hub.locust_log import hush
from mcp_perf.load.hub.redaction import guard_process
from mcp_perf.load.lifecycle.ending import Headless, WebPage, exit_on_refusal
from mcp_perf.load.lifecycle.roles import Master, Single, Worker
from mcp_perf.load.lifecycle.working import USER
from mcp_perf.load.prepare.config_files import require_harmless
from mcp_perf.load.prepare.options import run_options
from mcp_perf.load.prepare.prepare import prepare, read
from mcp_perf.load.web import guard, login, page

logger = logging.getLogger("mcp-perf")


def init(environment: Any, web_ui: Any) -> Master | Single | Worker:
    """Return the role of this process, ready for `test_start`."""
    folders.keep_private()
    guard_process()
    hush()
    if isinstance(environment.runner, WorkerRunner):
        return Worker(environment)
    names = (user.__name__ for user in environment.user_classes)
    if others := ", ".join(name for name in names if name != USER):
        logger.warning("%s: takes a share of the users; to keep it out, add %s", others, USER)
    kind = Master if isinstance(environment.runner, MasterRunner) else Single
    ending = Headless(environment) if web_ui is None else WebPage(environment)
    observer = getattr(environment, "mcp_perf_observer", None)
    role = kind(environment, ending, observer)
    options = environment.parsed_options
    with exit_on_refusal():
        if observer is None:
            require_harmless(options.config)
        if web_ui is not None:
            _protect(web_ui, options)
        if web_ui is None or options.autostart:
            role.keeping.adopt(prepare(run_options(options)))
        elif options.num_users is None:
            _prefill(options)
    if web_ui is not None:
        page.install(web_ui, role.keeping)
    return role


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
    load = read(run_options(options)).scenario.load
    options.num_users = load.most_users
    options.spawn_rate = options.spawn_rate or load.spawn_rate or min(float(load.most_users), 100.0)
