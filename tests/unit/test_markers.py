"""Markers say what a test needs, and the commands of the Makefile choose tests by them."""

import os
import re
import subprocess
import sys
import tomllib

import pytest

from tests.support import ROOT
from tests.support.resources import MARKERS, missing, needed

SUITE = """
import subprocess, sys
import pytest

@pytest.fixture(scope="session")
def shared(_processes):
    return [subprocess.run([sys.executable, "-c", ""], check=True)]

@pytest.fixture
def own():
    subprocess.run([sys.executable, "-c", ""], check=True)

def test_starts_unmarked():
    subprocess.run([sys.executable, "-c", ""], check=True)

def test_forks_unmarked():
    import os
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)

def test_has_a_fixture_unmarked(own):
    pass

@pytest.mark.process
def test_shares(shared):
    pass

def test_shares_unmarked(shared):
    pass

@pytest.mark.process
def test_starts():
    subprocess.run([sys.executable, "-c", ""], check=True)

@pytest.mark.load
def test_makes_load():
    subprocess.run([sys.executable, "-c", ""], check=True)

@pytest.mark.process
def test_is_marked_otherwise(tmp_path):
    (tmp_path / "postgres").symlink_to("/bin/true")
    subprocess.run([str(tmp_path / "postgres")], check=True)

@pytest.mark.database
def test_is_marked_so(tmp_path):
    (tmp_path / "postgres").symlink_to("/bin/true")
    subprocess.run([str(tmp_path / "postgres")], check=True)

def test_starts_nothing():
    pass
"""
WRONG = {
    "test_starts_unmarked": "process",
    "test_forks_unmarked": "process",
    "test_has_a_fixture_unmarked": "process",
    "test_shares_unmarked": "process",
    "test_is_marked_otherwise": "database",
}


@pytest.mark.process
def test_a_test_that_starts_a_process_without_its_marker_fails(tmp_path):
    """The test, its fixture or a fixture of another test may start it; all other tests pass."""
    (tmp_path / "test_suite.py").write_text(SUITE)
    options = "".join(f'"{name}: {text}",' for name, text in MARKERS.items())
    (tmp_path / "pyproject.toml").write_text(f"[tool.pytest.ini_options]\nmarkers = [{options}]\n")
    ended = subprocess.run(
        [*(sys.executable, "-m", "pytest", "-rA"), "-p", "tests.support.resources"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    pattern = r"^test_suite\.py::(\w+) (?:starts|uses) .*mark\.(\w+)`$"
    said = re.findall(pattern, ended.stdout, re.MULTILINE)
    assert dict(said) == WRONG, ended.stdout
    passed = set(re.findall(r"^PASSED \S+::(\w+)$", ended.stdout, re.MULTILINE))
    assert passed == set(re.findall(r"def (test_\w+)", SUITE)) - WRONG.keys()


@pytest.mark.parametrize(
    ("argv", "marker"),
    [
        (["/usr/bin/chromium", "--headless"], "browser"),
        (["/x/site-packages/playwright/driver/node", "cli.js"], "browser"),
        (["/usr/lib/postgresql/15/bin/initdb", "-D", "data"], "database"),
        (["/usr/bin/redis-server", "--port", "1"], "database"),
        (["/x/bin/node", "/y/.cache/servers/node/node_modules/z/index.js"], "network"),
        (["python", "-m", "mcp_server_time"], "network"),
        (["python", "/tests/system/servers/fastmcp_app.py", "8000"], "network"),
        (["python", "-m", "mcp_targets.echo"], "process"),
        (["os.fork"], "process"),
    ],
)
def test_a_command_line_shows_its_marker(argv, marker):
    """A command with an unknown name is a process, which every one of the markers allows."""
    assert needed(argv) == marker
    assert missing(marker, set())
    assert not missing(marker, {marker})
    assert missing(marker, {"load"}) is (marker != "process")


def test_the_markers_are_declared_as_they_are_explained():
    """pyproject.toml has the same words for each, and `pytest --markers` shows them."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]
    listed = dict(line.split(": ", 1) for line in declared["ini_options"]["markers"])
    assert {name: listed[name] for name in MARKERS} == MARKERS
    assert listed.keys() - MARKERS.keys() == {"first", "long", "simulated"}


def test_every_file_with_a_test_of_test_all_is_read_by_it():
    """The Makefile finds them by the marker's text, so a helper must not rename a marker."""
    chooses = "load|browser|database|network|simulated"
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert f'"mark\\.({chooses})\\b"' in makefile
    helpers = [path for path in (ROOT / "tests").rglob("*.py") if not path.name.startswith("test_")]
    named = [
        str(path.relative_to(ROOT))
        for path in helpers
        if re.search(rf"mark\.({chooses})\b", path.read_text("utf-8"))
    ]
    assert named == []
