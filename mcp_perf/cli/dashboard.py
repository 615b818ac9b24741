"""`mcp-perf dashboard`: pages over all runs of the store."""

import click

from mcp_perf.cli.answer import answer, say
from mcp_perf.cli.refused import Refused


@click.command()
@click.option("--store", default="", metavar="URL", help="Default: $MCP_PERF_STORE, or a file.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where it listens.")
@click.option("--port", default=8091, show_default=True, type=click.IntRange(0, 65535))
@click.option("--login", is_flag=True, help="Ask for the password in MCP_PERF_WEB_PASSWORD.")
def dashboard(store: str, host: str, port: int, *, login: bool) -> None:
    """Serve pages over all runs: list, compare, trends.

    \b
    The printed address holds a key. Programs send it as Authorization: Bearer KEY
    and get every table as CSV or JSON; /docs says what there is.

    \b
    Examples:
      mcp-perf dashboard
      mcp-perf dashboard --store postgresql://me@db/perf --port 9000
    """
    try:
        from mcp_perf.dashboard.app import create_app  # noqa: PLC0415
        from mcp_perf.load.web.serving import listen, locked, serve  # noqa: PLC0415
    except ImportError as error:
        raise Refused(f"{error}: pip install 'mcp-perf[dashboard]'") from None
    from mcp_perf.load.prepare.history import chosen, problems  # noqa: PLC0415
    from mcp_perf.load.targets.refusal import Refusal  # noqa: PLC0415

    if wrong := problems(store):
        raise Refused(wrong[0])
    try:
        listener = listen(host, port)
        app, opened = locked(
            create_app(chosen(store)), host, listener.getsockname()[1], login=login
        )
    except Refusal as refusal:  # it names Locust's options
        raise Refused(*(line.replace("--web-", "--") for line in refusal.lines)) from None
    say(opened.rstrip(), err=True)
    answer({"address": "http://{}:{}/".format(*listener.getsockname()[:2])})
    serve(app, listener)
