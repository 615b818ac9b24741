"""What the check of wording finds, and what it leaves alone."""

import importlib.util

import pytest

from tests.support import ROOT


@pytest.fixture(scope="module")
def found():
    """Return the function that lists the hits of a file."""
    spec = importlib.util.spec_from_file_location("english", ROOT / ".ci" / "english.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.found


@pytest.mark.parametrize(
    ("name", "text", "hits"),
    [
        ("a.py", 'x = f"{y} is no {z}"\ny = "--store: is no URL"\n', 3),
        ("a.py", '"""A file\nbeside it."""\n# told of it\nbeside = 1\n', 2),
        ("a.md", "There is no such file.\nIt is not a URL.\n", 0),
    ],
)
def test_strings_and_comments_are_read(found, tmp_path, name, text, hits):
    """Names in code are not wording; a pattern may span lines."""
    path = tmp_path / name
    path.write_text(text, "utf-8")
    assert len(found(path)) == hits
