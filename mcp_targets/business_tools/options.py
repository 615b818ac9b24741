"""The options of both processes, and the sources that these describe."""

import argparse
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from mcp_targets.business_tools.names import KEYS, ON_OFF, PROVIDERS, SWITCHES
from mcp_targets.business_tools.system import Sources
from mcp_targets.serving import processes, service_time
from mcp_targets.serving.entry import HOST
from mcp_targets.serving.faults import share
from mcp_targets.serving.processes import Child, wait_for_port

_MONGODB: Final = "BUSINESS_TOOLS_MONGODB_URI"


def add(parser: argparse.ArgumentParser) -> None:
    """Add all options."""
    for name, meaning in SWITCHES.items():
        parser.add_argument(f"--{name.replace('_', '-')}", choices=ON_OFF, help=f"on: {meaning}")
    parser.add_argument("--redis", metavar="URL", help="keep cache and limits in this Redis")
    parser.add_argument("--mongodb", metavar="URI", help="the database (default: an embedded one)")
    parser.add_argument("--read-only", choices=ON_OFF, help="on: the database is only read")
    parser.add_argument("--config", type=Path, help="settings: .env… or YAML; read again on change")
    parser.add_argument("--providers", type=Path, help="a folder of more provider files")
    parser.add_argument("--plugins", type=Path, help="a folder of plugins")
    parser.add_argument("--audit-log", type=Path, help="the file of the audit log")
    parser.add_argument(
        "--delay",
        type=service_time.argument,
        help="a time to add to each call, such as 40ms, to see whether gates notice",
    )
    parser.add_argument(
        "--errors",
        type=share,
        help="make this share of calls fail, such as 1%%, to see whether gates notice",
    )
    parser.add_argument("--live", action="store_true", help="call the real providers")
    parser.add_argument(
        "--database-ready", type=Path, help="use the embedded database that wrote this ready file"
    )
    processes.add_upstream(parser)


@contextlib.contextmanager
def sources(options: argparse.Namespace) -> Iterator[Sources]:
    """Give the sources that the options describe; start simulator and database if needed."""
    given: dict[str, Any] = {
        name: value for name in SWITCHES if (value := getattr(options, name)) is not None
    }
    for name in ("delay", "errors"):
        if getattr(options, name):
            given[name] = getattr(options, name)
    if options.redis:
        given["redis_url"] = options.redis
    if options.read_only:
        given["read_only"] = options.read_only == "on"
    with contextlib.ExitStack() as stack:
        addresses: dict[str, str] = {}
        if not options.live:
            simulator = processes.upstream(PROVIDERS, options.upstream_ready)
            addresses = stack.enter_context(simulator)
            given["secrets"] = KEYS
        if options.mongodb:
            given["mongodb_uri"] = options.mongodb
        elif options.database_ready or not (options.config or _MONGODB in os.environ):
            ready_file = options.database_ready or _database(stack)
            given["mongodb_uri"] = f"mongodb://{HOST}:{wait_for_port(ready_file)}"
        yield Sources(
            file=options.config,
            keys=os.environ.get("BUSINESS_TOOLS_KEY", ""),
            given=given,
            providers=options.providers,
            plugins_folder=options.plugins,
            addresses=addresses,
        )


def alone(options: argparse.Namespace) -> str:
    """Return the options that several servers still need to share; empty if none is missing."""
    without = {
        "--upstream-ready": not options.live and options.upstream_ready is None,
        "--database-ready": not options.mongodb and options.database_ready is None,
    }
    return " and ".join(name for name, missing in without.items() if missing)


def _database(stack: contextlib.ExitStack) -> Path:
    folder = stack.enter_context(TemporaryDirectory(prefix="mcp-perf-"))
    ready_file = Path(folder) / "database.json"
    child = Child("database", "business_tools.database", (), ready_file, None)
    stack.callback(child.stop)
    return ready_file
