"""A user's repository with mcp-perf as a submodule, and machines that run its jobs."""

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.support import ROOT
from tests.support import runners as simulated_services
from tests.support.waiting import free_port

PIP = """
import json, sys, sysconfig
from pathlib import Path
wanted = [word for word in sys.argv[2:] if not word.startswith("-")]
assert sys.argv[1] == "install" and (Path(wanted[0]) / "pyproject.toml").is_file(), sys.argv
packages = Path(sysconfig.get_path("purelib"))
Path(sys.prefix, "wanted.json").write_text(json.dumps(wanted))
(packages / "installed.pth").write_text(str(Path(wanted[0]).resolve()) + "\\n{packages}\\n")
for name, module in (("mcp-perf", "mcp_perf.cli.main"), ("pytest", "pytest")):
    script = Path(sysconfig.get_path("scripts"), name)
    line = f"#!{sys.executable}\\nimport sys\\nfrom {module} import main\\nsys.exit(main())\\n"
    script.write_text(line)
    script.chmod(0o755)
"""
"""Installs a checkout of mcp-perf without a network, beside the packages of these tests."""

PIP_COMMAND = '#!/bin/sh\nexec {home}/bin/python -m pip "$@"\n'
PYTHON_COMMAND = """#!/bin/sh
case " $* " in
*" -m venv "*)
  for folder; do :; done
  {home}/bin/python3 -I -m venv --without-pip "$folder"
  cp -r {pip} "$folder"/lib/python3.*/site-packages/ ;;
*) exec {home}/bin/python3 "$@" ;;
esac
"""
"""An isolated Python sees nothing of PYTHONPATH, so its environment gets the same pip."""

SCENARIO = """
name: mine
title: My server
arms: {mcp: {mcp: "http://127.0.0.1:9/mcp"}}
journeys: {one: {steps: [{call: echo, arguments: {message: hello}}]}}
load: {users: USERS, rounds: 2, round: 1s, warmup: 300ms}
limits: {loop_lag_p99: 10s, lost_time: 100%, generator_cpu: 100%}
gates: [mcp.error_rate < 50%, mcp.p95 < LIMIT]
"""
SHORT = '"load.round=500ms"'
PATIENT = (
    '"limits.loop_lag_p99=10s", "limits.lost_time=100%", "limits.generator_cpu=100%", '
    '"gates.0=rest.error_rate < 20%", "gates.1=mcp.error_rate < 20%"'
)
"""For the load run of the page: other tests are busy while it goes on."""


@pytest.fixture(scope="session")
def runners() -> ModuleType:
    """Load the simulated CI services."""
    return simulated_services


@pytest.fixture(scope="session")
def port() -> str:
    """Return a port that nobody uses: that of the files may be taken."""
    return str(free_port())


@pytest.fixture
def repository(tmp_path, port) -> Path:
    """Write a user's repository: a server, a scenario, benchmarks, and mcp-perf."""
    folder = tmp_path / "repository"
    copied = folder / "mcp-perf"
    # With what Python has compiled, but for what it is just writing.
    leave = shutil.ignore_patterns("out", "*.pyc.*")
    for name in ("scenarios", "mcp_perf", "mcp_targets", "reports", "locustfiles", "deploy"):
        shutil.copytree(ROOT / name, copied / name, ignore=leave)
    shutil.copy(ROOT / "pyproject.toml", copied)
    server = folder / "start-my-server"
    server.write_text(
        f"#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m mcp_targets.echo --port {port}\n"
    )
    server.chmod(0o755)
    benchmarks = folder / "tests" / "benchmarks"
    benchmarks.mkdir(parents=True)
    page = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    for block in re.findall(r"^```(?:python|yaml)\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        name = re.match(r"# (\w+\.py)", block)
        path = benchmarks / (name[1] if name else "gates.yaml")
        path.write_text(block.replace("8000", port).replace(SHORT, f"{SHORT}, {PATIENT}"))
    return folder


@pytest.fixture
def scenario(repository) -> Callable[..., None]:
    """Write the user's scenario."""

    def write(*, users: int = 2, limit: str = "10s") -> None:
        text = SCENARIO.replace("USERS", str(users)).replace("LIMIT", limit)
        (repository / "load.yaml").write_text(text)

    return write


@pytest.fixture
def machine(tmp_path, repository, environment, runners) -> Iterator:
    """Return a shell in the repository, whose `python` and `pip` are of a fresh environment."""
    home, pip = tmp_path / "python", tmp_path / "pip" / "pip"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    pip.mkdir(parents=True)
    (pip / "__init__.py").touch()
    packages = sysconfig.get_path("purelib")
    (pip / "__main__.py").write_text(PIP.replace("{packages}", packages))
    for name, text in (("pip", PIP_COMMAND), ("python", PYTHON_COMMAND)):
        (home / "bin" / name).unlink(missing_ok=True)
        (home / "bin" / name).write_text(text.format(home=home, pip=pip))
        (home / "bin" / name).chmod(0o755)
    path = f"{home / 'bin'}:{environment['PATH']}"
    shell = runners.Shell(repository, {**environment, "PATH": path, "PYTHONPATH": str(pip.parent)})
    yield shell
    shell.end()
