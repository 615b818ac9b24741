"""Goldens: what the commands print and write, compared byte for byte with stored texts.

Only this file knows the layout of the package. `make goldens` stores all texts again; look at
git's diff of them before you commit.
"""

import argparse
import difflib
import importlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

HERE = Path(__file__).parent
SCREEN = {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb", "MCP_PERF_STORE": None}
MOST_LINES = 40
WIDEST = 120


class Parser(argparse.ArgumentParser):
    """Accepts the calls that Locust makes on its parser."""

    def add_argument(self, *names, include_in_web_ui=None, **options):
        """Add an argument; nothing here has a web form."""
        del include_in_web_ui
        return super().add_argument(*names, **options)


@pytest.fixture(scope="session")
def main() -> click.Group:
    """Load the command, without the wrapper that handles Ctrl-C."""
    return importlib.import_module("mcp_perf.cli.main").main


@pytest.fixture(scope="session")
def cli(main) -> Callable[..., Result]:
    """Run a command in this process, on a screen of 80 columns without colours."""
    return lambda *words: CliRunner(env=SCREEN).invoke(main, words, prog_name="mcp-perf")


@pytest.fixture
def locust_help(monkeypatch) -> str:
    """Return the help of the options that the locustfile adds to Locust's own."""
    from mcp_perf.load.prepare import options

    monkeypatch.setenv("COLUMNS", "80")
    parser = Parser(prog="locust", usage=argparse.SUPPRESS, add_help=False)
    options.add(parser)
    return parser.format_help()


@pytest.fixture(scope="session")
def systems_package() -> str:
    """Return the package of the systems that ship with the suite."""
    return "mcp_targets"


@pytest.fixture(scope="session")
def remember() -> Callable[[str, Path], None]:
    """Append the run of a folder to a history, as `mcp-perf run` does at its end."""
    from mcp_perf.results.compare.baseline import of_report
    from mcp_perf.results.compare.history import append
    from mcp_perf.results.render.files.kept import kept
    from mcp_perf.results.report.build import load_report

    def append_run(store: str, folder: Path) -> None:
        report = load_report(folder)[0]
        append(store, of_report(report), kept(report))

    return append_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Iterator[Path]:
    """Work in a folder that holds a run of each stored journal, and their baseline."""
    folder = tmp_path_factory.mktemp("runs")
    for path in (HERE / "journals").glob("*.jsonl"):
        (folder / path.stem).mkdir()
        shutil.copy(path, folder / path.stem / "journal.jsonl")
    shutil.copy(HERE / "journals" / "baseline.json", folder)
    with chdir(folder):
        yield folder


@pytest.fixture(scope="session")
def golden() -> Callable[[str, str], None]:
    """Compare a text with the stored one of this name, or store it again."""
    return store if os.environ.get("RENEW_GOLDENS") else hold


@pytest.fixture(scope="session")
def held() -> Callable[[str, str], None]:
    """Compare a text with the stored one of this name, and store nothing."""
    return hold


def store(name: str, text: str) -> None:
    """Store a text."""
    path = HERE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")


def hold(name: str, text: str) -> None:
    """Fail if a text differs from the stored one, and show the beginning of the difference."""
    path = HERE / name
    assert path.exists(), f"No golden {name} is stored yet: `make goldens` stores it."
    stored = path.read_bytes().decode()
    if stored != text:
        shown = "\n".join(difference(stored, text))
        again = "If that is meant: `make goldens` stores all goldens anew."
        pytest.fail(f"{name} is not what it was.\n{shown}\n{again}", pytrace=False)


def difference(stored: str, text: str) -> list[str]:
    """Return a short unified diff."""
    found = difflib.unified_diff(narrow(stored), narrow(text), "stored", "now", lineterm="", n=1)
    lines = list(found) or ["They differ in the ends of their lines."]
    more = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], f"... and {more} lines more"] if more > 0 else lines


def narrow(text: str) -> list[str]:
    """Cut a text into readable lines: a page has all its elements in one."""
    lines = text.replace("><", ">\n<").splitlines()
    return [part for line in lines for part in re.findall(f".{{1,{WIDEST}}}", line) or [""]]


@pytest.fixture(scope="session")
def names() -> Callable[[str], set[str]]:
    """Return the files stored in a folder of goldens."""

    def stored(folder: str) -> set[str]:
        paths = [path for path in (HERE / folder).rglob("*") if path.is_file()]
        return {str(path.relative_to(HERE / folder)) for path in paths}

    return stored


@pytest.fixture(scope="session")
def journal() -> Callable[[str], list[dict]]:
    """Read the records of a stored journal; the last line of a torn one is not a record."""
    return lambda name: [
        json.loads(line)
        for line in (HERE / "journals" / f"{name}.jsonl").read_text("utf-8").splitlines()
    ]
