"""One word, one meaning: docs/glossary.md binds code and pages, as far as a machine can check."""

import ast
import io
import re
import tokenize
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from tests.support import ROOT

CODE = sorted(
    path
    for folder in ("mcp_perf", "mcp_targets", "locustfiles")
    for path in (ROOT / folder).rglob("*.py")
)
ENGINE = [path for path in CODE if path.is_relative_to(ROOT / "mcp_perf")]
GLOSSARY = ROOT / "docs" / "glossary.md"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted(ROOT.glob("*/README.md")),
    *sorted((ROOT / "scenarios").rglob("*.yaml")),
    *sorted((ROOT / "reports" / "templates").glob("*")),
]
THROWN_OUT = {"wish", "lane", "untold", "mint", "performer"}
"""Words with another name now, in code as in pages."""
NO_NAMES = THROWN_OUT | {"bench", "beside", "place", "placed"}
"""English words that meant too many things as names in the code."""
NOTES = (r"\bturn 0\b", r"\busers on local\b")
"""What no note says: readers of a report know neither turns' numbers nor nodes' keys."""


def words_of(name: str) -> list[str]:
    """Split `snake_case` and `CamelCase` into words, each without its plural ending."""
    found = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    return [word.lower().removesuffix("s") for word in found]


@cache
def names_in(path: Path) -> frozenset[str]:
    """Return all names that a file has: what Python calls identifiers."""
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline)
    return frozenset({token.string for token in tokens if token.type == tokenize.NAME})


@cache
def said() -> str:
    """Return the words of all pages and names, with a space before and after each."""
    pages = (path.read_text("utf-8") for path in PAGES if path != GLOSSARY)
    names = sorted({name for path in CODE for name in (path.stem, *names_in(path))})
    return "".join(f" {' '.join(words_of(text))} " for text in (*pages, *names))


def terms() -> list[str]:
    """Return the words of the glossary, in its order."""
    rows = re.findall(r"^\| (.+?) \| ", GLOSSARY.read_text("utf-8"), re.MULTILINE)
    return [row for row in rows if row != "word"]


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_name_is_made_of_words_that_were_thrown_out(path: Path) -> None:
    """What they meant has another name now."""
    names = {path.stem, *names_in(path)}
    assert [name for name in names if NO_NAMES.intersection(words_of(name))] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_page_has_words_that_were_thrown_out(path: Path) -> None:
    """Pages and files of users use the words of the code."""
    words = re.findall(r"[a-z]+", path.read_text("utf-8").lower())
    assert THROWN_OUT.intersection(word.removesuffix("s") for word in words) == set()


def test_no_two_classes_have_one_name() -> None:
    """In the engine a class is known by its name alone, and no other type has the same name."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    classes = set()
    for path in ENGINE:
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                classes.add(node.name)
                found[node.name].add(f"{path.relative_to(ROOT)}:{node.lineno}")
        for statement in tree.body:
            if isinstance(statement, ast.Assign):
                for target in statement.targets:
                    found[ast.unparse(target)].add(f"{path.relative_to(ROOT)}:{statement.lineno}")
    twice = {name: sorted(found[name]) for name in classes if len(found[name]) > 1}
    assert twice == {}


def test_the_glossary_has_each_word_once() -> None:
    """They are in alphabetical order, so each is easy to find."""
    assert terms() == sorted(set(terms()), key=str.lower)


@pytest.mark.parametrize("term", terms())
def test_each_word_of_the_glossary_is_used(term: str) -> None:
    """It is in pages or in names of the code, as one word or several."""
    assert f" {' '.join(words_of(term))} " in said()


def test_notes_are_in_the_words_of_their_readers() -> None:
    """A note names the round and the arm, and a worker only if there are several."""
    said = [text for path in CODE for text in NOTES if re.search(text, path.read_text("utf-8"))]
    assert said == []
