"""The pure core has no clock, no socket and no file, and its tests do not wait."""

import ast
import importlib
import tomllib
from collections.abc import Iterator

import pytest

from tests.support import ROOT

CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["coverage"]
CORE = [f"{name.replace('.', '/')}.py" for name in CONFIG["run"]["source_pkgs"]]
TESTS = (ROOT / "tests" / "core.txt").read_text("utf-8").split()
IMPURE = {
    *("asyncio", "datetime", "gevent", "io", "locust", "logging", "multiprocessing", "os"),
    *("pathlib", "selectors", "shutil", "signal", "socket", "subprocess", "sys", "tempfile"),
    *("threading", "time", "urllib"),
}


def modules(tree: ast.AST) -> Iterator[str]:
    """Yield the top-level packages that a file imports, wherever it does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def called(tree: ast.AST) -> Iterator[str]:
    """Yield the name of every function that is called, in the form of the source."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


@pytest.mark.parametrize("name", CORE)
def test_the_core_is_pure(name):
    """Time, files and sockets are arguments or belong to others; nothing is printed or opened."""
    tree = ast.parse((ROOT / name).read_text("utf-8"))
    assert set(modules(tree)) & IMPURE == set()
    assert {"open", "print", "input"} & set(called(tree)) == set()


def test_every_module_of_the_core_is_in_the_table():
    """Coverage lists a module once it is imported: one without tests would be missing, not red."""
    for name in CONFIG["run"]["source_pkgs"]:
        assert importlib.import_module(name)


@pytest.mark.parametrize("name", TESTS)
def test_no_test_of_the_core_sleeps(name):
    """A test that does not wait is quick, and cannot fail because a machine is slow."""
    tree = ast.parse((ROOT / name).read_text("utf-8"))
    names = {function.rpartition(".")[2] for function in called(tree)}
    assert {"sleep", "wait", "until"} & names == set()


def test_the_core_is_checked_branch_by_branch():
    """CI measures these modules with the tests of core.txt, and every branch has to be covered."""
    assert CONFIG["report"]["fail_under"] == 100
    assert len(CORE) >= 10
    assert len(TESTS) >= 10
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert "\nmake test\n" in (ROOT / ".ci" / "run").read_text("utf-8")
    assert "\ntest: core\n" in makefile
    assert "--cov --cov-report=term @tests/core.txt" in makefile
