"""`mcp-perf dashboard`: pages on all runs of the store."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from mcp_perf.cli.answer import answer, say
from mcp_perf.cli.read.runs import history, store_option
from mcp_perf.cli.refused import Refused, told


def _days(_context: object, _param: object, value: str | None) -> timedelta | None:
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,5})d", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is not a number of days; write it like 90d")
    return timedelta(days=int(found[1]))


_PORT = "The port to listen on; 0 is any free one."


@click.command()
@store_option
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8091, show_default=True, type=click.IntRange(0, 65535), help=_PORT)
@click.option(
    "--login",
    is_flag=True,
    help="Visitors log in with the password that MCP_PERF_WEB_PASSWORD holds.",
)
@click.option(
    "--prune", callback=_days, metavar="DAYS", help="Delete older runs from the store, and exit."
)
def dashboard(store: str, host: str, port: int, prune: timedelta | None, *, login: bool) -> None:
    """Serve pages on all runs, also those in progress, and on agents' sessions.

    \b
    The printed address holds a key. Programs send it as Authorization: Bearer KEY
    and get every table as CSV or JSON; /docs lists them all.

    \b
    Examples:
      mcp-perf dashboard
      mcp-perf dashboard --store postgresql://me@db/perf --port 9000
      mcp-perf dashboard --prune 90d
    """
    with history(store) as kept:
        if prune is None:
            _serve(kept, host, port, login=login)
        else:
            _prune(kept, prune)


def _prune(store: str, age: timedelta) -> None:
    from mcp_perf.numbers import counted  # noqa: PLC0415
    from mcp_perf.results.compare.stored import prune  # noqa: PLC0415

    before = (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%SZ")
    deleted = prune(store, before=before)
    answer(
        {"deleted": deleted}, f"Deleted {counted(deleted, 'run')} that began before {before[:10]}."
    )


def _serve(store: str, host: str, port: int, *, login: bool) -> None:
    try:
        from mcp_perf.dashboard.app import create_app  # noqa: PLC0415
        from mcp_perf.load.web.serving import locked  # noqa: PLC0415
    except ImportError as error:
        raise Refused(f"{error}: pip install 'mcp-perf[dashboard]'") from None
    try:
        serve_pages(locked, create_app(store), host, port, login=login)
    except Refused as refused:  # it names Locust's options
        raise Refused(refused.message.replace("--web-", "--")) from None


def serve_pages(lock: Callable[..., Any], pages: Any, host: str, port: int, *, login: bool) -> None:
    """Serve pages behind their lock until Ctrl-C; `lock` makes it. Raises Refused."""
    from mcp_perf.load.web.serving import listen, serve  # noqa: PLC0415

    with told(), listen(host, port) as listener:
        app, opened = lock(pages, host, listener.getsockname()[1], login=login)
        say(opened.rstrip(), err=True)
        answer({"address": app.served.address})
        serve(app, listener)
