"""Each numbered promise of docs/explanation/measurement.md has a test that fails without it."""

import re
from collections import Counter

from tests.support import ROOT


def test_every_promise_has_a_test_with_its_number():
    """The page's table lists them in order; each has a test, and no test has another number."""
    page = (ROOT / "docs" / "explanation" / "measurement.md").read_text("utf-8")
    section = page.partition("\n## The promises\n")[2].partition("\n## ")[0]
    promised = [int(number) for number in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)]
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    tested = Counter(map(int, re.findall(r"^def test_promise_(\d\d)_", tests, re.MULTILINE)))
    assert promised == sorted(set(promised))
    assert promised == sorted(tested)


def test_the_page_on_security_names_tests_that_exist():
    """Each boundary names its tests or their files."""
    page = (ROOT / "docs" / "explanation" / "security.md").read_text("utf-8")
    files = re.findall(r"`(tests/\S+\.py)`", page)
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert [file for file in files if not (ROOT / file).is_file()] == []
    named = re.findall(r"`(test_\w+)`", page)
    assert [name for name in named if f"def {name}(" not in tests] == []
    assert named
