"""The command `mcp-perf`, also as `python -m mcp_perf`: Ctrl-C is answered from here on."""

from mcp_perf import interrupt


def main() -> None:
    """Run the command; what it imports takes a moment, in which Ctrl-C ends it at once."""
    interrupt.begin()
    from mcp_perf.cli.main import main as command  # noqa: PLC0415

    interrupt.unwind()
    command(prog_name="mcp-perf")


if __name__ == "__main__":
    main()
