"""Run the echo system by hand: `python -m mcp_targets.echo --port 8000`."""

import argparse

from mcp_targets.echo.app import Echo, Settings
from mcp_targets.serving import entry
from mcp_targets.serving.service_time import Constant, distribution


def main() -> None:
    """Read the switches and serve."""
    parser = entry.arguments(
        "echo", "The calibration system: a tiny, fast server with the faces mcp and rest."
    )
    parser.add_argument(
        "--replies",
        choices=("json", "sse"),
        default="json",
        help="how MCP calls are answered: plain JSON, or a stream with one event (default: json)",
    )
    parser.add_argument("--page-size", type=_at_least_one, help="tools per page of tools/list")
    parser.add_argument(
        "--delay",
        type=distribution,
        default=Constant(),
        help='a service time to add to every call: "5ms", or "90%%:5ms,9%%:20ms,1%%:200ms"',
    )
    parser.add_argument("--seed", type=int, default=0, help="the seed of the delays (default: 0)")
    parser.add_argument(
        "--slots",
        type=_at_least_one,
        help="how many calls are worked on at once; others queue (default: no limit)",
    )
    parser.add_argument(
        "--session-idle",
        dest="session_idle_s",
        type=_seconds,
        metavar="TIME",
        help='end a session after this idle time, such as "30s" (default: never)',
    )
    options = parser.parse_args()
    settings = Settings(*(getattr(options, name) for name in Settings.__struct_fields__))
    entry.serve(options, {"echo": Echo(settings).server}, entry.shown("echo", mcp="/mcp", rest=""))


def _seconds(text: str) -> float:
    read = distribution(text)
    if not isinstance(read, Constant) or read.seconds <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration: write one such as 30s")
    return read.seconds


def _at_least_one(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: write a number from 1")
    return number


if __name__ == "__main__":
    main()
