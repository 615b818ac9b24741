"""The floor plan as a test: nothing imports upwards, and no room is a heap.

A *room* is a folder with modules but without rooms in it. `PLAN` lists the rooms of each package
and the modules next to rooms, from the ground upwards.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support import ROOT

PLAN = {
    "mcp_perf": (
        *("interrupt", "folders", "numbers", "outcomes", "scenario.problems", "settings"),
        *(f"scenario.{room}" for room in ("values", "model", "source", "checks")),
        *("scenario.catalog", "scenario.loader", "scenario.effects", "scenario.schema"),
        *("client.reply", "client.rate_limits", "client.errors"),
        *(f"client.{room}" for room in ("http", "protocol", "channels", "mcp")),
        *("results.document", "results.stats", "results.journal"),
        *("results.tally", "results.judge", "results.compare", "results.report"),
        *(f"results.render.{room}" for room in ("words", "charts", "files", "console")),
        *(
            f"load.{room}"
            for room in ("hub", "plan", "replies", "targets", "steps", "survey", "watch", "prepare")
        ),
        *("load.engine", "load.lifecycle", "load.web", "load.start", "load.headless", "agent"),
        *("agent.recording", "dashboard", "load.mcp_user", "runs", "pytest_plugin"),
        *("cli.refused", "cli.answer", "cli.output", "cli.read", "cli", "__main__"),
    ),
    "mcp_targets": (
        *("serving.httpd", "serving"),
        "upstream",
        *("echo.tools", "echo.rpc", "echo.arguments", "echo.changes", "echo.works"),
        *("echo.protocol", "echo.rest", "echo.app", "echo.__main__", "echo.stdio"),
        *("ladder", "twilio"),
        *("dual_runtime.errors", "dual_runtime.settings"),
        *("dual_runtime.tooling", "dual_runtime.network"),
        *(f"dual_runtime.p2p.{room}" for room in ("peers", "queue", "workflows")),
        *("dual_runtime.groups", "dual_runtime.system", "dual_runtime.tools"),
        *("dual_runtime.faces", "dual_runtime.server", "dual_runtime.__main__"),
        *(f"business_tools.{room}" for room in ("names", "errors", "resilience", "database")),
        *(f"business_tools.{room}" for room in ("settings", "access", "upstreams", "tools")),
        *(f"business_tools.{room}" for room in ("webhooks", "telemetry", "plugins", "system")),
        *(f"business_tools.{room}" for room in ("faces.openapi", "options", "inprocess", "faces")),
        *(f"business_tools.{room}" for room in ("replicas", "stdio", "__main__")),
        *("launcher", "stdio"),
    ),
}
FEWEST, MOST = 4, 12


def modules() -> dict[str, Path]:
    """Return the modules of both packages by their names."""
    found = {}
    for package in PLAN:
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.name != "__init__.py":
                found[".".join(path.relative_to(ROOT).with_suffix("").parts)] = path
    return found


MODULES = modules()


def imported(name: str) -> Iterator[str]:
    """Yield our modules that a module imports, also inside functions."""
    for node in ast.walk(ast.parse(MODULES[name].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (each if each in MODULES else str(node.module) for each in inside)


def storey(name: str) -> tuple[str, int]:
    """Return the package of a module, and its height in the plan."""
    package, _, inside = name.partition(".")
    places = PLAN[package]
    here = [place for place in places if f"{inside}.".startswith(f"{place}.")]
    assert here, f"{name} is in no room of the plan"
    return package, places.index(max(here, key=len))


@pytest.mark.parametrize("name", MODULES)
def test_nothing_imports_upwards(name):
    """A module imports from its own room and from rooms below it."""
    package, height = storey(name)
    above = [
        other
        for other in imported(name)
        if other in MODULES and storey(other)[0] == package and storey(other)[1] > height
    ]
    assert above == []


def test_no_room_has_a_circle():
    """The modules of a room have an order from the ground upwards, too."""
    graph = {name: {other for other in imported(name) if other in MODULES} for name in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_the_plan_names_nothing_that_is_gone():
    """Every room and every module of the plan exists."""
    gone = [
        f"{package}.{place}"
        for package, places in PLAN.items()
        for place in places
        if not any(f"{name}.".startswith(f"{package}.{place}.") for name in MODULES)
    ]
    assert gone == []


@pytest.mark.parametrize("package", PLAN)
def test_a_room_holds_four_to_twelve_files(package):
    """Fewer are not a room, and more are a heap. Next to rooms there may be fewer."""
    folders = {path.parent for path in MODULES.values()}
    sizes = {
        str(folder.relative_to(ROOT)): len(list(folder.glob("[!_]*.py")))
        + (folder / "__main__.py").exists()
        for folder in folders
        if folder.is_relative_to(ROOT / package)
    }
    with_rooms = {name for name in sizes if any(other.startswith(f"{name}/") for other in sizes)}
    wrong = {
        name: size
        for name, size in sizes.items()
        if size > MOST or (size < FEWEST and name not in with_rooms)
    }
    assert wrong == {}
