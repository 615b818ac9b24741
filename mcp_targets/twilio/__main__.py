"""Run the Twilio system by hand: `python -m mcp_targets.twilio --port 8000`."""

import argparse
import contextlib
import tempfile
from collections.abc import Mapping
from pathlib import Path

from mcp_targets.serving import entry
from mcp_targets.serving.processes import Child, SystemFailed, wait_for_port
from mcp_targets.twilio import accounts


def main() -> None:
    """Read the switches; start the upstream unless it is there; serve MCP."""
    parser = argparse.ArgumentParser(
        prog="python -m mcp_targets.twilio",
        description="Twilio's API (face rest) and an MCP server that wraps it (face mcp).",
    )
    entry.add_arguments(parser)
    upstream = parser.add_mutually_exclusive_group()
    upstream.add_argument(
        "--upstream",
        metavar="URL",
        help="the provider's API (default: the simulator, started along)",
    )
    upstream.add_argument(
        "--upstream-ready",
        type=Path,
        metavar="FILE",
        help="the ready file of a simulator that is starting",
    )
    options = parser.parse_args()
    entry.watch_parent(options.ready_file)
    with contextlib.ExitStack() as stack:
        ready = options.upstream_ready
        if options.upstream is None and ready is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            ready = folder / "upstream.json"
            child = Child("upstream", "upstream", ("--provider", "twilio"), ready, None)
            stack.callback(child.stop)
        _serve(options, ready)
    entry.leave()


def _serve(options: argparse.Namespace, upstream_ready: Path | None) -> None:
    # The SDK takes most of a second to import, time in which the upstream gets ready.
    from mcp_targets.twilio.http import serve  # noqa: PLC0415

    upstream = options.upstream
    if upstream_ready is not None:
        try:
            upstream = f"http://{entry.HOST}:{wait_for_port(upstream_ready)}"
        except SystemFailed as error:
            raise SystemExit(str(error)) from error

    def lines(ports: Mapping[str, int]) -> list[str]:
        return [
            "twilio is ready:",
            f"  mcp   http://{entry.HOST}:{ports['mcp']}/mcp  as {_as(accounts.MCP)}",
            f"  rest  {upstream}  as {_as(accounts.REST)}",
        ]

    serve(options.port, options.ready_file, upstream, lines)


def _as(account: accounts.Account) -> str:
    variables = account.variables()
    return f"account {variables['account']}, workspace {variables['workspace']}"


if __name__ == "__main__":
    main()
