"""The documents are executed: commands run, links lead somewhere, tables are true."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reports import verdict
from reports.samples import CLASSES

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)")
NOT_RUN = {
    "make run": "the main job itself; the check of every change runs it on a clean checkout",
    "make test": "this is what runs these tests",
    ". .venv/bin/activate": "changes the reader's shell",
    "locust -f locustfiles": "serves until Ctrl-C; tests/locustfiles/test_web.py runs it",
}


def commands() -> list[tuple[str, str]]:
    """Return (page, command) for each `$ ` line of a console block."""
    return [
        (page.name, line[2:].split("  #")[0].strip())
        for page in PAGES
        for block in BLOCK.findall(page.read_text(encoding="utf-8"))
        for line in block.splitlines()
        if line.startswith("$ ")
    ]


def pages_with_commands() -> dict[str, list[str]]:
    """Return the commands to run, page by page, in their order: later ones need earlier ones."""
    found: dict[str, list[str]] = {}
    for page, command in commands():
        if command not in NOT_RUN:
            found.setdefault(page, []).append(command)
    return found


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a folder that looks like a checkout, with nothing in it that a run could spoil."""
    for name in ("scenarios", "locustfiles"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.e2e
@pytest.mark.parametrize("page", pages_with_commands())
def test_the_commands_of_a_page_work(page: str, checkout: Path) -> None:
    """Every command of the documents runs as it is written, and ends well."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in pages_with_commands()[page]:
        done = subprocess.run(
            shlex.split(command),
            cwd=checkout,
            env={**os.environ, "PATH": path, "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        # 90 and 91: a short run on a busy machine may lack evidence; it may not break.
        assert done.returncode in (0, 90, 91), f"{command}\n{done.stdout}\n{done.stderr}"


def test_what_is_not_run_is_still_written() -> None:
    """The list of exceptions holds nothing that the documents no longer say."""
    written = {command for _, command in commands()}
    assert set(NOT_RUN) <= written


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link and picture exists."""
    targets = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in targets if not (page.parent / link).exists()] == []


def test_make_knows_the_commands_of_the_first_lines() -> None:
    """The README begins with two commands, and the Makefile has both."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\$ make (\w+)", readme, re.MULTILINE)[:2] == ["run", "test"]
    for goal in ("run", "test"):
        subprocess.run(["make", "-n", goal], cwd=ROOT, check=True, capture_output=True)


def test_the_table_of_exit_codes_is_the_codes() -> None:
    """README's table lists exactly the codes that the program can end with."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", readme, re.MULTILINE)}
    codes = {value for name, value in vars(verdict).items() if name.endswith("_CODE")}
    refusals = {104, 108}
    assert listed == codes | refusals


def test_every_class_is_explained() -> None:
    """docs/targets.md says of each class what puts a call there."""
    text = (ROOT / "docs/targets.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == list(CLASSES)


def test_every_option_in_the_documents_exists() -> None:
    """No page speaks of an option of `mcp-perf` that it does not have."""
    known = subprocess.run(
        [sys.executable, "-m", "locustfiles", "run", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for page, command in commands():
        if command.startswith("mcp-perf run"):
            for option in re.findall(r"(?<=\s)--?[a-z-]+", command):
                assert option in known, f"{page}: {option}"


def test_files_and_modules_that_the_pages_name_exist() -> None:
    """Paths in back quotes are real."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:scenarios|locustfiles|reports|mcp_targets|tests)/[\w/.]*)`", text)
    missing = [
        name for name in named if not (ROOT / name).exists() and not (ROOT / f"{name}.py").exists()
    ]
    assert named
    assert missing == []
