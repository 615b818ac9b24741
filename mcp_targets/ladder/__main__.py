"""Run the ladder's server by hand: `python -m mcp_targets.ladder --port 8000`."""

import argparse
from collections.abc import Mapping

from mcp_targets.serving import entry


def main() -> None:
    """Read the switches and serve by HTTP."""
    parser = argparse.ArgumentParser(
        prog="python -m mcp_targets.ladder",
        description="One small tool behind an MCP server of the official Python SDK (face mcp).",
    )
    entry.add_arguments(parser)
    parser.add_argument(
        "--replies",
        choices=("json", "sse"),
        default="json",
        help="how calls are answered: plain JSON, or a stream with one event, up to 2025-11-25 "
        "(default: json)",
    )
    options = parser.parse_args()
    entry.watch_parent(options.ready_file)
    # Late: the SDK takes most of a second to import, which --help need not pay.
    from mcp_targets.ladder.server import server  # noqa: PLC0415
    from mcp_targets.serving import asgi  # noqa: PLC0415

    app = server.streamable_http_app(json_response=options.replies == "json")
    asgi.serve(app, options.port, options.ready_file, _lines)
    entry.leave()


def _lines(ports: Mapping[str, int]) -> list[str]:
    return ["ladder is ready:", f"  mcp   http://{entry.HOST}:{ports['mcp']}/mcp"]


if __name__ == "__main__":
    main()
