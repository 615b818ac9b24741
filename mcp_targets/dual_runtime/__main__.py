"""Run the dual-runtime system by hand: `python -m mcp_targets.dual_runtime --port 8000`."""

import argparse
import contextlib
import gc
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from mcp_targets.dual_runtime import settings
from mcp_targets.dual_runtime.upstreams import SIMULATOR
from mcp_targets.serving import entry
from mcp_targets.serving.processes import Child, SystemFailed, wait_for_port


def main() -> None:
    """Read the flags; start the upstreams unless they are there; serve both faces."""
    parser = argparse.ArgumentParser(
        prog="python -m mcp_targets.dual_runtime",
        description="One tool set on two runtimes, as MCP (/mcp) and as REST (/tools/NAME).",
    )
    entry.add_arguments(parser)
    settings.add_arguments(parser)
    parser.add_argument(
        "--root",
        type=Path,
        default=Path(),
        help="the folder that run_tests may work in (default: the current one)",
    )
    parser.add_argument(
        "--upstream-ready",
        type=Path,
        metavar="FILE",
        help="the ready file of the simulator (default: one is started along)",
    )
    options = parser.parse_args()
    entry.watch_parent(options.ready_file)
    with contextlib.ExitStack() as stack:
        folder = _folder(options.ready_file, stack)
        if options.upstream_ready is None:
            options.upstream_ready = folder / "upstream.json"
            child = Child("upstream", "upstream", SIMULATOR, options.upstream_ready, None)
            stack.callback(child.stop)
        _serve(options, folder)
    entry.leave()


def _folder(ready_file: Path | None, stack: contextlib.ExitStack) -> Path:
    """Return a folder for files, which is gone afterwards."""
    if ready_file is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mcp-perf-")))
    # In the launcher's own: this process may be ended at any moment.
    folder = ready_file.with_suffix(".files")
    folder.mkdir()
    return folder


def _serve(options: argparse.Namespace, folder: Path) -> None:
    # The libraries take most of a second to import, time in which the upstreams get ready.
    from mcp_targets.dual_runtime.faces import rest_face, servers  # noqa: PLC0415
    from mcp_targets.dual_runtime.system import DualRuntime  # noqa: PLC0415

    chosen = settings.from_arguments(options)
    system = DualRuntime(chosen, _addresses(options.upstream_ready), options.root, folder)
    listener = entry.listen(options.port)
    listener.listen(2048)
    ports = {"mcp": listener.getsockname()[1]}

    def lines(ports: Mapping[str, int]) -> list[str]:
        address = f"http://{entry.HOST}:{ports['mcp']}"
        shown = f"dual_runtime is ready ({chosen.describe()}):"
        return [shown, f"  mcp   {address}/mcp", f"  rest  {address}"]

    def ready() -> None:
        entry.announce(ports, lines, options.ready_file)
        # What exists now stays: the collector need not look at it again, nor interrupt often.
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)

    serve = {"asyncio": servers.on_asyncio, "trio": servers.on_trio}[chosen.server]
    serve(rest_face.build(system), listener, ready)


def _addresses(ready_file: Path) -> dict[str, str]:
    try:
        wait_for_port(ready_file)
    except SystemFailed as error:
        raise SystemExit(str(error)) from error
    ports: dict[str, int] = msgspec.json.decode(ready_file.read_bytes())["ports"]
    return {name: f"http://{entry.HOST}:{port}" for name, port in ports.items()}


if __name__ == "__main__":
    main()
