"""Serves an ASGI application behind the lock that all our pages have, until it is stopped."""

import argparse
import contextlib
import os
import socket

import uvicorn

from mcp_perf import settings
from mcp_perf.load.hub.redaction import hide
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.load.web.admission import Admission, password
from mcp_perf.load.web.asgi import Application, AsgiGuard
from mcp_perf.load.web.guard import PUBLIC_NAME, served_by


def locked(
    app: Application, host: str, port: int, *, login: bool, key: str = ""
) -> tuple[AsgiGuard, str]:
    """Return the application behind its lock, and how it is opened. Raises Refusal.

    If `key` is given, it is used instead of a new one.
    """
    served = served_by(
        argparse.Namespace(
            web_host=host,
            web_port=port,
            web_login=login,
            web_base_path="",
            web_host_display_name=os.environ.get(PUBLIC_NAME),
            tls_cert=None,
            tls_key=None,
        )
    )
    admission = Admission(
        cookie=f"mcp-perf-{port}",
        password=password(settings.current().web_password.get_secret_value()) if login else "",
        https_only=served.https_only,
    )
    if key and not login:
        admission.key = key
    hide((admission.key, admission.password))
    return AsgiGuard(app, served, admission), admission.told(served.address)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 is any free one. Raises Refusal."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise Refusal(f"--web-port {port}: cannot be used ({error.strerror})") from error


def serve(app: AsgiGuard, listener: socket.socket) -> None:
    """Serve until SIGTERM or Ctrl-C; each of a thousand clients has a file open."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on Windows
        import resource  # noqa: PLC0415

        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # No proxy_headers: with them, a user could give another client's address after wrong passwords.
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(config).run(sockets=[listener])
