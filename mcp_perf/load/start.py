"""Locust's `init`: this process takes its role, and a run that begins at once is prepared."""

import logging
import sys
from typing import Any, Final

from locust.runners import MasterRunner, WorkerRunner

from mcp_perf import folders, settings
from mcp_perf.load.hub.logs import guard_process
from mcp_perf.load.hub.redaction import hide
from mcp_perf.load.lifecycle.ending import Headless, WebPage, exit_on_refusal
from mcp_perf.load.lifecycle.roles import Master, Single, Worker
from mcp_perf.load.lifecycle.working import USER
from mcp_perf.load.prepare.config_files import require_harmless
from mcp_perf.load.prepare.options import run_options
from mcp_perf.load.prepare.permission import NOBODY, User, at_terminal
from mcp_perf.load.prepare.prepare import prepare, read
from mcp_perf.load.web import guard, page
from mcp_perf.load.web.admission import LIVE, Admission, password

_PAGE: Final = "The live page, with control against mcp and the verdict:"
_MOST_BYTES: Final = 64 * 1024
"""The largest request that the page takes."""

logger = logging.getLogger("mcp-perf")


def init(environment: Any, web_ui: Any) -> Master | Single | Worker:
    """Return the role of this process, ready for `test_start`."""
    folders.keep_private()
    guard_process()
    if isinstance(environment.runner, WorkerRunner):
        return Worker(environment)
    names = (user.__name__ for user in environment.user_classes)
    if others := ", ".join(name for name in names if name != USER):
        logger.warning("%s takes a share of the users; to leave it out, add %s", others, USER)
    kind = Master if isinstance(environment.runner, MasterRunner) else Single
    ending = Headless(environment) if web_ui is None else WebPage(environment)
    observer = getattr(environment, "mcp_perf_observer", None)
    role = kind(environment, ending, observer)
    options = environment.parsed_options
    with exit_on_refusal():
        if observer is None:
            require_harmless(options.config)
        opened = None if web_ui is None else _protect(web_ui, options)
        if web_ui is None or options.autostart:
            ask = at_terminal if web_ui is None else NOBODY.ask
            user = User(ask, logger.info if observer is None else observer.say)
            role.keeping.adopt(prepare(run_options(options), user))
        elif options.num_users is None:
            _prefill(options)
    if opened is not None:
        page.install(web_ui, role.keeping)
        # Not in the log, which never holds keys and may be a file.
        address, told = opened
        sys.stderr.write(told)
        sys.stderr.flush()
        getattr(environment, "mcp_perf_opened", lambda _address: None)(address)
    role.signals.catch()
    return role


def _protect(web_ui: Any, options: Any) -> tuple[str, str]:
    """Lock the page before anything is sent; return its address and a text. Raises Refusal."""
    served = guard.served_by(options)
    guard.require_port(options.web_host, options.web_port)
    web_password = settings.current().web_password.get_secret_value()
    admission = Admission(
        cookie=f"mcp-perf-{options.web_port}",
        base=options.web_base_path or "",
        password=password(web_password) if options.web_login else "",
        https_only=served.https_only,
    )
    if options.web_login and not served.https_only and not guard.is_loopback(options.web_host):
        logger.warning("the web page and its password travel unencrypted: add --tls-cert")
    hide((admission.key, admission.password))
    if options.web_login:  # our guard covers every route, so Locust's login is switched off
        web_ui.login_manager.user_loader(lambda _: None)
        web_ui.web_login = False
    web_ui.app.config["MAX_CONTENT_LENGTH"] = _MOST_BYTES
    web_ui.app.wsgi_app = guard.Guard(web_ui.app.wsgi_app, served, admission)
    live = admission.opened(served.address.rstrip("/") + LIVE)
    told = f"{admission.told(served.address)}{_PAGE}"
    return admission.opened(served.address), f"{told}\n    {live}\n"


def _prefill(options: Any) -> None:
    """Put the scenario's own load into the form: the user only has to press Start."""
    load = read(run_options(options)).scenario.load
    options.num_users = load.most_users
    options.spawn_rate = options.spawn_rate or load.spawn_rate or min(float(load.most_users), 100.0)
