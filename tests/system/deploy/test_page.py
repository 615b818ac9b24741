"""docs/ci.md and the files in deploy/ say the same."""

import re

import yaml

from tests.support import ROOT

PAGE = (ROOT / "docs" / "ci.md").read_text("utf-8")
FILES = ("github/load-test.yml", "gitlab/.gitlab-ci.yml", "github-action/action.yml")


def rows(heading):
    """Return the rows of a table as lists of cells."""
    lines = PAGE.partition(f"\n| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_what_the_page_shows_is_what_the_files_hold():
    """Each block is a part of a file, word by word, and each file is linked."""
    texts = [(ROOT / "deploy" / name).read_text("utf-8") for name in FILES]
    blocks = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 2
    for block in blocks:
        assert sum(block in text for text in texts) == 1, block
    assert all(f"(../deploy/{name})" in PAGE for name in FILES)


def test_the_tables_of_inputs_and_outputs_are_those_of_the_action():
    """Every input with its default, and every output, is explained as the action explains it."""
    action = yaml.safe_load((ROOT / "deploy" / FILES[2]).read_text("utf-8"))
    assert rows("input") == [
        [f"`{name}`", one["description"], default(one)] for name, one in action["inputs"].items()
    ]
    assert rows("output") == [
        [f"`{name}`", one["description"]] for name, one in action["outputs"].items()
    ]


def default(declared):
    """Say what an input is where it is left out."""
    if declared.get("required"):
        return "required"
    return f"`{declared['default']}`" if declared["default"] else "none"
