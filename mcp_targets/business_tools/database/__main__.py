"""Run the embedded database: `python -m mcp_targets.business_tools.database`."""

import asyncio
import logging
import time
from typing import Any

from bson import Decimal128
from nx_27017 import NeoSQLiteHandler, run_server

from mcp_targets.serving import entry


class _Handler(NeoSQLiteHandler):  # type: ignore[misc]
    """Keeps decimals in the form of Extended JSON, because SQLite does not have them."""

    def _convert_objectids(self, doc: Any) -> Any:
        return _written(super()._convert_objectids(doc))


def _written(value: Any) -> Any:
    match value:
        case Decimal128():
            return {"$numberDecimal": str(value)}
        case dict():
            return {name: _written(inside) for name, inside in value.items()}
        case list():
            return [_written(inside) for inside in value]
    return value


def main() -> None:
    """Serve MongoDB's wire protocol from memory until the process is stopped."""
    parser = entry.arguments("business_tools.database", "MongoDB's wire protocol over SQLite.")
    options = parser.parse_args()
    # The server logs each command with its documents.
    logging.basicConfig(level=logging.CRITICAL)
    entry.watch_parent(options.ready_file)
    entry.run(_serve(options))
    entry.leave()


async def _serve(options: object) -> None:
    port, ready_file = getattr(options, "port", 0), getattr(options, "ready_file", None)
    if not port:
        with entry.listen(0) as free:
            port = free.getsockname()[1]
    serving = asyncio.create_task(run_server(entry.HOST, port, _Handler(":memory:")))
    deadline = time.monotonic() + 10
    while not await _accepts(port) and not serving.done() and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    lines = [f"the database is ready: mongodb://{entry.HOST}:{port}"]
    entry.announce({"mongodb": port}, lambda _: lines, ready_file)
    await serving


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(entry.HOST, port)
    except OSError:
        return False
    writer.close()
    return True


if __name__ == "__main__":
    main()
