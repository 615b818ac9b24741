"""Run the Twilio system by hand: `python -m mcp_targets.twilio --port 8000`."""

import contextlib

from mcp_targets.serving import asgi, entry, processes
from mcp_targets.serving.strictness import trimmed
from mcp_targets.twilio import accounts
from mcp_targets.twilio.server import server
from mcp_targets.twilio.tools import PROVIDER


def main() -> None:
    """Read the switches; start the upstream if needed; serve MCP."""
    parser = entry.arguments(
        "twilio", "Twilio's API (face rest) and an MCP server that wraps it (face mcp)."
    )
    provider = parser.add_mutually_exclusive_group()
    provider.add_argument(
        "--upstream",
        metavar="URL",
        help="the provider's API (default: a simulator that is started too)",
    )
    processes.add_upstream(provider)
    options = parser.parse_args()
    entry.watch_parent(options.ready_file)
    with contextlib.ExitStack() as stack:
        upstream = options.upstream
        if upstream is None:
            simulator = processes.upstream(("twilio",), options.upstream_ready)
            upstream = stack.enter_context(simulator)["twilio"]
        PROVIDER.connect(upstream, accounts.MCP)
        mcp, rest = f"/mcp  as {_words(accounts.MCP)}", f"{upstream}  as {_words(accounts.REST)}"
        app = trimmed(server.streamable_http_app())
        asgi.serve(app, options, entry.shown("twilio", mcp=mcp, rest=rest))
    entry.leave()


def _words(account: accounts.Account) -> str:
    return "account {account}, workspace {workspace}".format_map(account.variables())


if __name__ == "__main__":
    main()
