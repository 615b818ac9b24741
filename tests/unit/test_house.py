"""The rules of the house, as tests: which module may import which, and how large things may be."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT

HOUSE = ("mcp_perf", "mcp_targets", "locustfiles")
FILES = sorted(path for folder in HOUSE for path in (ROOT / folder).rglob("*.py"))
ALLOWED = {
    "mcp_perf": {"mcp_perf", "mcp_targets"},
    "mcp_targets": {"mcp_targets"},
    "locustfiles": {"mcp_perf"},
}
ENGINES = {"locust", "gevent", "geventhttpclient"}
LONGEST_FILE = 400
LONGEST_FUNCTION = 60
VAGUE_NAMES = {"utils", "helpers", "manager", "data", "process", "common", "misc"}


def name(path: Path) -> str:
    """Return a path as the rules name it."""
    return str(path.relative_to(ROOT))


def imports(path: Path) -> Iterator[str]:
    """Yield every module that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)}: relative import"
            yield node.module or ""


def violations(path: Path, imported: str) -> Iterator[str]:
    """Yield what is wrong with one import of one file."""
    here = path.relative_to(ROOT).parts[0]
    top = imported.partition(".")[0]
    if top in HOUSE and top not in ALLOWED[here]:
        yield f"{here} must not import {imported}"
    inside = "/".join(path.relative_to(ROOT).parts[:2])
    on_locust = here == "locustfiles" or inside == "mcp_perf/load"
    # The command shows progress during the load.
    if top in ENGINES and not on_locust and (inside, top) != ("mcp_perf/cli", "gevent"):
        yield f"only the load may import {top}"
    if inside == "mcp_perf/client" and top == "mcp_targets":
        yield "the client shares no code with the systems"


def test_nothing_on_the_way_of_a_call_logs() -> None:
    """Code that a call passes through has no logger and no settings; oddities are data."""
    rooms = ("client/http", "client/protocol", "client/mcp", "load/steps", "load/engine/user.py")
    on_the_way = [
        path for path in FILES if name(path).startswith(tuple(f"mcp_perf/{r}" for r in rooms))
    ]
    logging = {"logging", "structlog", "mcp_perf.settings", "mcp_perf.load.hub.logs"}
    found = {name(path) for path in on_the_way if logging.intersection(imports(path))}
    assert found == {"mcp_perf/client/mcp/oauth.py"}  # it silences the logger of a library


@pytest.mark.parametrize("path", FILES, ids=name)
def test_imports_follow_the_arrows(path: Path) -> None:
    """Nothing imports against the arrows of docs/architecture.md."""
    assert [wrong for module in imports(path) for wrong in violations(path, module)] == []


@pytest.mark.parametrize("path", FILES, ids=name)
def test_files_and_functions_stay_small(path: Path) -> None:
    """No file is over 400 lines, no function over 60, and every name of a module has a meaning."""
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= LONGEST_FILE
    assert path.stem.strip("_") not in VAGUE_NAMES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, node.name


def test_most_files_are_short() -> None:
    """Five files out of six are under 200 lines."""
    long = [path for path in FILES if path.read_text(encoding="utf-8").count("\n") >= 200]
    assert len(long) <= len(FILES) / 6, [name(path) for path in long]


def test_there_is_one_locustfile() -> None:
    """Locust runs every file of the folder as a locustfile."""
    plain = [path.name for path in (ROOT / "locustfiles").rglob("*.py")]
    assert plain == ["scenario.py"]


@pytest.mark.process
def test_no_registry_host_and_no_foreign_path_is_written_anywhere() -> None:
    """The repository does not contain hosts of package registries or paths of anybody's machine."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\n")
    hosts = ("py" + "pi.org", "python" + "hosted.org", "registry.np" + "mjs", "deb.deb" + "ian.org")
    pattern = re.compile("|".join(map(re.escape, (*hosts, "/ro" + "ot/", "/wo" + "rk/"))))
    found = [
        path
        for path in filter(None, listed)
        if (ROOT / path).is_file()
        and pattern.search((ROOT / path).read_text(encoding="utf-8", errors="ignore"))
    ]
    assert found == []


def test_the_engine_is_not_patched_by_the_tests() -> None:
    """Benchmarks and client tests run in a process that gevent has not touched."""
    import sys

    assert "gevent.monkey" not in sys.modules or not sys.modules["gevent.monkey"].saved
