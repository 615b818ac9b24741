"""The dashboard as a browser sees it: served in this process, with its key."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from axe_core_python.sync_playwright import Axe

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
    """Add a run to a store that was slower by a factor; return its report."""
    made = report if slower == 1 else slowed(report, slower)
    did = {"workload": dict.fromkeys(made.arms, "the same"), "load": {"users": users}}
    told = {"run_id": run_id, "environment": made.environment | did, **changes}
    made = made.model_copy(update=told)
    append(store, of_report(made), kept(made))
    return made


@contextlib.contextmanager
def served(store: str) -> Iterator[str]:
    """Serve a store; give the address to open, which contains the key."""
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


@contextlib.contextmanager
def visiting(browser: Any, opened: str) -> Iterator[Callable[..., Any]]:
    """Give a function that opens a path on a screen.

    The page's complaints and requests are kept on it.
    """
    with contextlib.ExitStack() as contexts:

        def open_page(path: str, width: int = 1280, scheme: str = "light", **how: Any) -> Any:
            size = {"width": width, "height": 844}
            context = browser.new_context(viewport=size, color_scheme=scheme, **how)
            contexts.callback(context.close)
            page = context.new_page()
            page.complaints, page.requests = [], []
            page.on("console", lambda message: page.complaints.append(message.text))
            page.on("pageerror", lambda error: page.complaints.append(str(error)))
            page.on("request", lambda request: page.requests.append(urlsplit(request.url)))
            page.on("websocket", lambda socket: page.requests.append(urlsplit(socket.url)))
            page.home = "http://" + urlsplit(opened).netloc
            page.goto(opened)
            page.goto(page.home + path)
            return page

        yield open_page


def press(page: Any, role: str, name: str) -> None:
    """Click a button or a link, and wait for the page that it leads to."""
    with page.expect_navigation():
        page.get_by_role(role, name=name).click()


def is_quiet(page: Any) -> bool:
    """Check that a page neither complained nor sent a request to another host."""
    assert page.complaints == []
    own = {one.netloc for one in page.requests if one.scheme not in ("data", "blob")}
    return own == {urlsplit(page.home).netloc}


def faults(page: Any) -> dict[str, list[str]]:
    """Return the serious faults that axe finds, each with its place.

    Listing the rules that pass would take most of the time.
    """
    return {
        one["id"]: [node["html"][:200] for node in one["nodes"]]
        for one in Axe().run(page, options={"resultTypes": ["violations"]})["violations"]
        if one["impact"] in ("serious", "critical")
    }
