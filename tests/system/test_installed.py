"""mcp-perf as its users install it, by pip from an index, and as its developers do."""

import ast
import subprocess
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from mcp_targets.launcher.catalog import SYSTEMS
from tests.support import ROOT, commands
from tests.support.commands import CALM
from tests.support.installed import Installed, build
from tests.support.waiting import answers, free_port, until

pytestmark = pytest.mark.load
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
OWN = ("reports", "scenarios", "tests", "locustfiles")
"""Packages that a user may have, with the names of folders in our checkout."""
BUSY = {0, 90}
"""The exit codes of a short run, which may lack evidence."""
IMPORT_ALL = """
import importlib, pkgutil, sys
import mcp_perf, mcp_perf.cli.main
assert not {"locust", "gevent"} & set(sys.modules)
import mcp_targets.echo, mcp_targets.launcher, mcp_targets.serving, mcp_targets.upstream
serving = ("mcp_targets.serving." + name for name in ("asgi", "sdk", "strictness"))
needs_more = (
    "mcp_perf.agent.api", "mcp_perf.agent.serving", "mcp_perf.load.web.serving",
    "mcp_perf.dashboard.", "mcp_perf.client.mcp.oauth", *serving,
)
targets = mcp_targets.echo, mcp_targets.launcher, mcp_targets.serving, mcp_targets.upstream
for package in (mcp_perf, *targets):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.startswith(needs_more) and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
            print(module.name)
for name in sys.argv[1:]:
    assert importlib.util.find_spec(name) is None, name
"""
MINE = """
name: mine
title: A function of mine
arms: {direct: {python: shop}}
journeys: {price: {steps: [{run: price, arguments: {item: tea}, expect: {equals: {price: 3}}}]}}
gates: [direct.p95 < 1s]
"""
SIGNED_IN = """
name: mine
title: A server that asks who it is
arms: {mcp: {mcp: "http://127.0.0.1:9/mcp", auth: {oauth: {client_id: me}}}}
journeys: {one: {steps: [{ping: true}]}}
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel."""
    return build("build_wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Install the wheel, and the packages that the pytest plugin needs."""
    home = tmp_path_factory.mktemp("home")
    return Installed(home, wheel, "pytest", "pytest-benchmark").install()


@pytest.fixture
def empty(tmp_path):
    """Return an empty folder."""
    (tmp_path / "empty").mkdir()
    return tmp_path / "empty"


@pytest.fixture
def full(tmp_path):
    """Return the folder of a user whose packages have the names of our folders."""
    folder = tmp_path / "full"
    for name in OWN:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f"raise RuntimeError({name!r})")
    (folder / "mine.yaml").write_text(MINE)
    (folder / "shop.py").write_text("def price(item):\n    return {'price': len(item)}\n")
    return folder


@pytest.fixture
def shell(installed, environment):
    """Run a line in a folder, with the installation's commands."""
    env = {**environment, "PATH": f"{installed.bin}:{environment['PATH']}"}
    env.pop("PYTHONPATH", None)
    return lambda line, folder: commands.run("sh", "-c", line, env=env, cwd=folder, timeout=120)


def only_run(folder: Path) -> Path:
    """Return the folder of the only run, which git ignores."""
    assert (folder / "mcp-perf-out" / ".gitignore").read_text() == "*\n"
    [page] = (folder / "mcp-perf-out").glob("*/report.html")
    assert "<svg" in page.read_text("utf-8")
    return page.parent


def test_the_wheel_adds_two_names(wheel, installed):
    """It has no tests, pages or folders of the checkout, and the same locustfile."""
    names = {name for name in installed.added if not name.endswith(".dist-info")}
    assert names == {"mcp_perf", "mcp_targets"}
    with zipfile.ZipFile(wheel) as archive:
        files = archive.namelist()
        shipped = archive.read("mcp_perf/shipped/locustfiles/scenario.py")
    assert shipped == (ROOT / "locustfiles" / "scenario.py").read_bytes()
    assert [name for name in files if name.endswith(("README.md", ".pyc"))] == []


def test_the_sdist_builds_the_same_wheel(wheel, tmp_path):
    """It has everything that the wheel is made of, but neither tests nor pages."""
    with tarfile.open(build("build_sdist", tmp_path)) as archive:
        archive.extractall(tmp_path, filter="data")
    [unpacked] = (path for path in tmp_path.iterdir() if path.is_dir())
    assert not {"tests", "docs", ".ci"} & {path.name for path in unpacked.iterdir()}
    built = build("build_wheel", tmp_path, unpacked)
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(built) as other:
        contents = ({each.filename: each.CRC for each in of.infolist()} for of in (one, other))
        first, second = contents
    assert first == second


def test_the_scenarios_are_listed(shell, empty, run_cli):
    """They are the checkout's, in the same order."""
    assert shell("mcp-perf list", empty).stdout == run_cli("list", cwd=empty).stdout


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("mcp-perf run echo", "empty"),
        ("python -m mcp_perf run echo", "full"),
        ("mcp-perf run mine.yaml", "full"),
        ('locust -f "$(mcp-perf locustfile)" --headless --scenario echo', "full"),
    ],
)
def test_a_run_works_from_the_wheel(line, place, shell, quick, request):
    """It needs no checkout, and imports no package with the name of one of its folders."""
    folder = request.getfixturevalue(place)
    settings = " ".join(quick)
    ended = shell(f"{line} {settings}", folder)
    assert ended.code in BUSY, ended.output
    only_run(folder)
    assert {path.name for path in folder.glob("reports/*")} <= {"__init__.py"}


def test_a_new_user_types_two_lines(installed, shell, empty, environment):
    """`pip install mcp-perf`, then `mcp-perf run URL`: a report on the user's server."""
    port = free_port()
    command = [installed.bin / "python", "-P", "-m", "mcp_targets.echo", "--port", str(port)]
    settings = " ".join((*CALM, "--set load.users=2 --set load.round=300ms"))
    with subprocess.Popen(command, env=environment, cwd=empty) as server:
        try:
            until(lambda: answers(port), "the server did not start")
            ended = shell(f"mcp-perf run http://127.0.0.1:{port}/mcp {settings}", empty)
        finally:
            server.terminate()
    assert ended.code in BUSY, ended.output
    only_run(empty)


def test_the_pytest_plugin_works_from_the_wheel(shell, full):
    """Its reports are in the folder of runs."""
    (full / "conftest.py").write_text('pytest_plugins = ["mcp_perf.pytest_plugin.plugin"]\n')
    (full / "test_mine.py").write_text(
        "def test_two(side_by_side):\n    side_by_side({'one': dict, 'two': list}, rounds=6)\n"
    )
    ended = shell("python -m pytest test_mine.py --mcp-perf-report", full)
    assert ended.code == 0, ended.output
    [index] = (full / "mcp-perf-out").glob("benchmarks-*/index.md")
    assert str(index) in ended.stdout.replace("\n", "")


def test_the_core_imports_with_its_own_requirements(shell, empty):
    """OAuth and the session API need an extra, and the command does not load Locust."""
    (empty / "all.py").write_text(IMPORT_ALL)
    extra = {Requirement(text).name.replace("-", "_") for text in EXTRAS["systems"]}
    ended = shell(f"python all.py {' '.join(extra)}", empty)
    assert ended.code == 0, ended.output
    assert {"mcp_perf.load.start", "mcp_targets.launcher.catalog"} <= {*ended.stdout.split()}


def test_a_system_that_is_not_installed_is_refused(shell, empty):
    """The run ends with 104 before anything starts; the extra is named once for both arms."""
    ended = shell("mcp-perf run twilio-tasks", empty)
    assert ended.code == 104
    assert ended.output.count("pip install 'mcp-perf[systems]'") == 1, ended.output
    assert list(empty.iterdir()) == []


def test_oauth_that_is_not_installed_is_refused(shell, empty):
    """So is a run that needs a login."""
    (empty / "mine.yaml").write_text(SIGNED_IN)
    ended = shell("mcp-perf run mine.yaml", empty)
    assert ended.code == 104, ended.output
    assert "pip install 'mcp-perf[oauth]'" in ended.output


def test_an_editable_install_uses_the_files_of_the_checkout(environment, tmp_path, empty):
    """It copies none of them, adds the same two names, and works in any folder."""
    editable = Installed(tmp_path / "home", build("build_editable", tmp_path)).install()
    assert not list(editable.packages.rglob("shipped"))
    env = {**environment, "PATH": f"{editable.bin}:{environment['PATH']}"}
    found = commands.run(editable.bin / "mcp-perf", "locustfile", env=env, cwd=empty)
    assert found.stdout.strip() == str(ROOT / "locustfiles" / "scenario.py")
    assert commands.run(editable.bin / "mcp-perf", "list", env=env, cwd=empty).code == 0
    look = f"from importlib.util import find_spec; print(*map(find_spec, {OWN}))"
    seen = commands.run(editable.bin / "python", "-c", look, env=env, cwd=empty)
    assert set(seen.stdout.split()) == {"None"}


def imported(folder: Path) -> set[str]:
    """Return the packages that the modules of a folder import."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(str(node.module).partition(".")[0])
                # Modules of mcp_targets.serving that need more packages than the rest of it.
                served = {"asgi": "uvicorn", "sdk": "mcp"}
                found |= {served[alias.name] for alias in node.names if alias.name in served}
    return found


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_needs_what_it_imports(name):
    """The packages checked before the start are the imported ones, and the extra has them all."""
    extra = {Requirement(text).name.replace("-", "_") for text in EXTRAS["systems"]}
    modules = {process.module for process in SYSTEMS[name].processes}
    uses = set().union(*(imported(ROOT / "mcp_targets" / module) for module in modules))
    assert set(SYSTEMS[name].needs) == uses & extra
