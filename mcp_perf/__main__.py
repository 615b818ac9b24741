"""The command `mcp-perf`, also as `python -m mcp_perf`. Ctrl-C is handled from here on."""

from mcp_perf import interrupt


def main() -> None:
    """Run the command. While its imports load, Ctrl-C ends it at once."""
    interrupt.begin()
    from mcp_perf.cli.main import main as command  # noqa: PLC0415

    interrupt.unwind()
    command(prog_name="mcp-perf")


if __name__ == "__main__":
    main()
