"""What `pip install mcp-perf` brings: the table of docs/architecture.md is checked by weighing."""

import re
import tomllib
from importlib.metadata import Distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support import ROOT
from tests.support.installed import with_requirements

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
ROWS = re.findall(r"^\| (`[\w-]+`|all that these require) \| ([\d.]+) \|", PAGE, re.MULTILINE)
MOST_MB = 200


def megabytes(found: Distribution) -> float:
    """Return the size of a distribution's files, compiled modules included."""
    paths = [path.locate() for path in found.files or ()]
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


@pytest.fixture(scope="module")
def weights() -> dict[str, float]:
    """Weigh what is required here: direct requirements by name, all others together."""
    direct = [canonicalize_name(Requirement(text).name) for text in PROJECT["dependencies"]]
    found = dict.fromkeys(direct, 0.0) | {"all that these require": 0.0}
    for one in with_requirements(list(PROJECT["dependencies"])):
        name = canonicalize_name(one.name)
        found[name if name in direct else "all that these require"] += megabytes(one)
    return found


def test_the_table_has_what_is_required_and_what_it_weighs(weights):
    """Versions and platforms differ, but never by a factor of two."""
    table = {name.strip("`"): float(weight) for name, weight in ROWS}
    assert list(table) == list(weights)
    for name, weight in weights.items():
        assert table[name] / 2 - 1 < weight < table[name] * 2 + 1, name


def test_all_of_it_weighs_less_than_200_megabytes(weights):
    """The page adds up its table correctly, with 6 MB for mcp-perf itself."""
    assert sum(weights.values()) < MOST_MB - 10
    [said] = re.findall(r"takes (\d+) MB", PAGE)
    assert int(said) == pytest.approx(6 + sum(float(weight) for _, weight in ROWS), abs=1)
