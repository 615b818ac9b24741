"""Run the dual-runtime system by hand: `python -m mcp_targets.dual_runtime --port 8000`."""

from mcp_targets.dual_runtime import settings
from mcp_targets.dual_runtime.faces import rest_face, trio_server
from mcp_targets.dual_runtime.system import started
from mcp_targets.serving import asgi, entry


def main() -> None:
    """Read the flags; start the upstreams if needed; serve both faces."""
    parser = entry.arguments(
        "dual_runtime", "One tool set on two runtimes, as MCP (/mcp) and as REST (/tools/NAME)."
    )
    settings.add_arguments(parser)
    options = parser.parse_args()
    entry.watch_parent(options.ready_file)
    with started(options) as system:
        listener = entry.listen(options.port)
        listener.listen(2048)
        ports = {"mcp": listener.getsockname()[1]}
        title = f"dual_runtime ({system.settings.describe()})"

        def ready() -> None:
            entry.announce(ports, entry.shown(title, mcp="/mcp", rest=""), options.ready_file)
            entry.settle()

        run = {"asyncio": asgi.run, "trio": trio_server.run}[system.settings.server]
        run(rest_face.build(system), listener, ready)
    entry.leave()


if __name__ == "__main__":
    main()
