"""Run the ladder's server by hand: `python -m mcp_targets.ladder --port 8000`."""

from mcp_targets.ladder.server import server
from mcp_targets.serving import asgi, entry
from mcp_targets.serving.strictness import trimmed


def main() -> None:
    """Read the switches and serve by HTTP."""
    parser = entry.arguments(
        "ladder", "One small tool behind an MCP server of the official Python SDK (face mcp)."
    )
    parser.add_argument(
        "--replies",
        choices=("json", "sse"),
        default="json",
        help="how calls are answered: plain JSON, or a stream with one event, up to 2025-11-25 "
        "(default: json)",
    )
    options = parser.parse_args()
    entry.watch_parent(options.ready_file)
    app = server.streamable_http_app(json_response=options.replies == "json")
    asgi.serve(trimmed(app), options, entry.shown("ladder", mcp="/mcp"))
    entry.leave()


if __name__ == "__main__":
    main()
