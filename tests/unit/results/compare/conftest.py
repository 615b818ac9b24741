"""Stores of the history: a SQLite file, and a real PostgreSQL."""

import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from mcp_perf.results.compare.history import HistoryError, points
from tests.support.waiting import until


def command(name: str) -> str | None:
    """Find a command of PostgreSQL; Debian keeps them off the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(found[-1]) if found else None)


@pytest.fixture(scope="session")
def postgres():
    """Start a PostgreSQL for the test, at a Unix socket, as a user without privileges."""
    initdb, server = command("initdb"), command("postgres")
    if initdb is None or server is None:
        assert "CI" not in os.environ, "install postgresql: CI has to test the history on it"
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="mcp-perf-pg-"))
    user = "nobody" if os.geteuid() == 0 else getpass.getuser()
    if os.geteuid() == 0:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    as_user = {"user": user} if os.geteuid() == 0 else {}
    data = folder / "data"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT, "cwd": folder, **as_user}
    argv = [initdb, "-D", data, "-U", "tester", "-A", "trust", "--no-sync"]
    subprocess.run(argv, check=True, **quiet)
    argv = [server, "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
    process = subprocess.Popen(argv, **quiet)
    try:
        yield f"postgresql+psycopg://tester@/postgres?host={folder}"
    finally:
        process.terminate()
        process.wait(300)
        shutil.rmtree(folder)


@pytest.fixture
def store(kind, request, tmp_path):
    """Give the URL of a kind of store; PostgreSQL is ready, the file is not there yet."""
    if kind == "sqlite":
        return f"sqlite:///{tmp_path}/new/history.sqlite"
    url = request.getfixturevalue("postgres")
    until(lambda: answers(url), "PostgreSQL is not ready")
    clear(url)
    return url


def answers(url: str) -> bool:
    """Tell whether the server takes connections."""
    try:
        points(url)
    except HistoryError:
        return False
    return True


def clear(url: str) -> None:
    """Drop the tables of another test."""
    import psycopg

    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS mcp_perf_reports, mcp_perf_metrics, mcp_perf_runs")
