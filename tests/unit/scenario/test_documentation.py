"""The reference: its examples run, and it knows every key."""

import os
import re

import pytest

from mcp_perf.scenario.checks.size import MOST_ARMS, MOST_JOURNEYS
from mcp_perf.scenario.loader import load_text
from mcp_perf.scenario.model.gates import METRICS
from mcp_perf.scenario.model.identities import Identities, Provision
from mcp_perf.scenario.model.kinds import KINDS, Await, whom
from mcp_perf.scenario.model.load import Load, Stage
from mcp_perf.scenario.model.scenario import Arm, Journey, Limits, Scenario
from mcp_perf.scenario.model.steps import ExpectClass, ExpectStatus
from mcp_perf.scenario.model.targets import Tls
from mcp_perf.scenario.schema import meanings
from mcp_perf.scenario.source.yaml_reader import read
from mcp_perf.scenario.values import generators
from tests.support import ROOT

PAGE = ROOT / "docs" / "reference" / "scenarios.md"
TEXT = PAGE.read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0])
def test_every_example_is_a_valid_scenario(block, tmp_path):
    """What the page shows can be copied and run."""
    (tmp_path / "users.csv").write_text("name,token\nada,t-1\n")
    assert load_text(block, "scenarios.md", tmp_path, environ={}).scenario.journeys


def test_there_are_examples():
    """The pattern above finds the examples in the page."""
    assert len(BLOCKS) >= 4


@pytest.mark.parametrize(
    "model",
    [
        *(Scenario, Identities, Provision, Arm, Tls, Journey, Load, Stage, Limits),
        *(*KINDS.values(), ExpectClass, ExpectStatus, Await),
    ],
    ids=lambda m: m.__name__,
)
def test_every_key_is_documented(model):
    """A key that the page does not name does not exist for its readers."""
    missing = {key for key in model.by_key() if not re.search(rf"[`{{ ]{key}[`:]", TEXT)}
    assert missing == set()


def line(text: str | None) -> str:
    """Return a docstring as the cell of a table."""
    words = " ".join((text or "").split()).removesuffix(".")
    return words if words[1:2].isupper() else words[:1].lower() + words[1:]


def reference() -> str:
    """Return the tables of steps: what each kind is, and which other keys it may have."""
    rows = ["| action | value | arms |", "|---|---|---|"]
    others: dict[str, str] = {}
    for action, kind in KINDS.items():
        said = meanings(kind)
        described = {key: line(said.get(key)) for key in kind.by_key()}
        rows.append(f"| `{action}` | {described.pop(action)} | {kind.arm or 'all'} |")
        others |= described
    rows += ["", "| key | meaning | for |", "|---|---|---|"]
    rows += [f"| `{key}` | {meaning} | {whom(key)} |" for key, meaning in others.items()]
    return "\n".join(rows)


def test_the_tables_of_steps_are_those_of_the_code():
    """`make goldens` renews them from the table of kinds."""
    before, _, rest = TEXT.partition("<!-- steps -->\n")
    _, end, after = rest.partition("\n<!-- end of steps -->")
    page = f"{before}<!-- steps -->\n{reference()}{end}{after}"
    if os.environ.get("RENEW_GOLDENS"):
        PAGE.write_text(page)
    else:
        assert page == TEXT


def test_every_metric_and_generator_is_documented():
    """The tables of the page have everything that the grammar knows."""
    assert {name for name in METRICS if f"`{name}`" not in TEXT} == set()
    assert {kind for kind in generators._KINDS if f"`{{{kind}: " not in TEXT} == set()


def test_the_caps_are_those_of_the_code():
    """Numbers in the text follow the constants."""
    assert f"at most {MOST_ARMS}" in TEXT
    assert f"at most {MOST_JOURNEYS}" in TEXT


REFUSED = re.search(r"\| written \|.*?\n\n", TEXT, re.DOTALL)


def test_every_word_of_the_list_is_refused():
    """The words that the page lists as refused are refused."""
    assert REFUSED
    rows = REFUSED[0].strip().splitlines()[2:]
    words = [word for row in rows for word in re.findall(r"`([^`]+)`", row.split("|")[1])]
    assert len(words) >= 12
    for word in words:
        assert read(f"a: {word}").mistakes, word
