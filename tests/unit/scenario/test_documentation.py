"""The reference: its examples run, and it knows every key."""

import re

import pytest

from mcp_perf.scenario.loader import load_text
from mcp_perf.scenario.model.gates import METRICS
from mcp_perf.scenario.model.identities import Identities, Provision
from mcp_perf.scenario.model.load import Load, Stage
from mcp_perf.scenario.model.scenario import Arm, Expect, Journey, Limits, Scenario, Step, Tls
from mcp_perf.scenario.source.layout import MOST_ARMS, MOST_JOURNEYS
from mcp_perf.scenario.source.yaml_reader import read
from mcp_perf.scenario.values import generators
from tests.support import ROOT

PAGE = ROOT / "docs" / "scenarios.md"
TEXT = PAGE.read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0])
def test_every_example_is_a_valid_scenario(block, tmp_path):
    """What the page shows can be copied and run."""
    (tmp_path / "users.csv").write_text("name,token\nada,t-1\n")
    assert load_text(block, "scenarios.md", tmp_path, environ={}).scenario.journeys


def test_there_are_examples():
    """The pattern above finds the blocks of the page."""
    assert len(BLOCKS) >= 4


@pytest.mark.parametrize(
    "model",
    [Scenario, Identities, Provision, Arm, Tls, Journey, Step, Expect, Load, Stage, Limits],
    ids=lambda m: m.__name__,
)
def test_every_key_is_documented(model):
    """A key that the page does not name does not exist for its readers."""
    keys = {field.alias or name for name, field in model.model_fields.items()}
    missing = {key for key in keys if not re.search(rf"[`{{ ]{key}[`:]", TEXT)}
    assert missing == set()


def test_every_metric_and_generator_is_documented():
    """The tables of the page hold all that the grammar knows."""
    assert {name for name in METRICS if f"`{name}`" not in TEXT} == set()
    assert {kind for kind in generators._KINDS if f"`{{{kind}: " not in TEXT} == set()


def test_the_caps_are_those_of_the_code():
    """Numbers in the text follow the constants."""
    assert f"at most {MOST_ARMS}" in TEXT
    assert f"at most {MOST_JOURNEYS}" in TEXT


REFUSED = re.search(r"\| written \|.*?\n\n", TEXT, re.DOTALL)


def test_every_word_of_the_list_is_refused():
    """The words that the page calls refused are."""
    assert REFUSED
    rows = REFUSED[0].strip().splitlines()[2:]
    words = [word for row in rows for word in re.findall(r"`([^`]+)`", row.split("|")[1])]
    assert len(words) >= 12
    for word in words:
        assert read(f"a: {word}").findings, word
