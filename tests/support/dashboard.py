"""The dashboard as a browser meets it: served in this process, behind its lock."""

import contextlib
import threading
from collections.abc import Iterator

import uvicorn

from mcp_perf.dashboard.app import create_app
from mcp_perf.load.web.serving import listen, locked
from mcp_perf.results.compare.baseline import of_report
from mcp_perf.results.compare.history import append
from mcp_perf.results.document.document import Report
from mcp_perf.results.render.files.kept import kept
from tests.support.slowed import slowed


def remember(
    store: str, report: Report, run_id: str, slower: float = 1.0, users: int = 4, **changes: object
) -> Report:
    """Put a run into a store that was so many times slower; return its report."""
    made = report if slower == 1 else slowed(report, slower)
    did = {"workload": dict.fromkeys(made.arms, "the same"), "load": {"users": users}}
    told = {"run_id": run_id, "environment": made.environment | did, **changes}
    made = made.model_copy(update=told)
    append(store, of_report(made), kept(made))
    return made


@contextlib.contextmanager
def served(store: str) -> Iterator[str]:
    """Serve a store; give the address that is opened, which holds the key."""
    listener = listen("127.0.0.1", 0)
    app, told = locked(create_app(store), *listener.getsockname(), login=False)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield told.split()[-1]
    finally:
        server.should_exit = True
        thread.join()
