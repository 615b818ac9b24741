"""Code of others that we run: it is pinned, and bounded if it may change under us."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
REQUIRED = [
    Requirement(text)
    for texts in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for text in texts
]
PRIVATE = ("gevent", "hypercorn", "jmespath", "locust", "mcp", "pytest", "pytest-benchmark")
"""Packages that we use by names which they do not promise to keep."""


def pinned() -> dict[str, str]:
    """Return the versions that development and CI install."""
    _, *lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pairs = [re.fullmatch(r"([\w.-]+)==([\w.]+)", line).groups() for line in lines]
    return {canonicalize_name(name): version for name, version in pairs}


def test_development_and_ci_install_what_is_pinned():
    """Every requirement has one matching version in the file; lines do not have addresses."""
    versions = pinned()
    others = [one for one in REQUIRED if canonicalize_name(one.name) != "mcp-perf"]
    unfit = [one for one in others if versions[canonicalize_name(one.name)] not in one.specifier]
    assert unfit == []
    assert "-c constraints.txt" in (ROOT / "Makefile").read_text("utf-8")


@pytest.mark.parametrize("name", PRIVATE)
def test_what_is_used_by_private_names_has_an_upper_bound(name):
    """The next major version is tried before it is allowed."""
    bounds = [str(one.specifier) for one in REQUIRED if one.name == name]
    assert bounds
    assert all("<" in bound for bound in bounds)


@pytest.mark.parametrize(
    "file",
    [
        "deploy/github/load-test.yml",
        "docs/how-to/ci.md",
        ".github/workflows/release.yml",
        ".github/workflows/tests.yml",
    ],
)
def test_actions_of_others_are_pinned_by_their_commit(file):
    """A tag can be moved to other code. The version is in a comment behind the commit."""
    used = re.findall(r"uses: (?!\./|OWNER/)(.*)", (ROOT / file).read_text("utf-8"))
    assert used
    assert [one for one in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", one)] == []
