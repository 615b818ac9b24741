"""The promises of docs/measurement.md are numbered, and so are the tests that fail without them."""

import re
from collections import Counter

from tests.support import ROOT

LAST = 26


def test_every_promise_has_a_test_with_its_number():
    """The table on the page lists 1 to the last without a gap, and each has a test."""
    page = (ROOT / "docs" / "measurement.md").read_text("utf-8")
    section = page.partition("\n## The promises\n")[2].partition("\n## ")[0]
    promised = [int(number) for number in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)]
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    tested = Counter(map(int, re.findall(r"^def test_promise_(\d\d)_", tests, re.MULTILINE)))
    assert promised == list(range(1, LAST + 1))
    assert [number for number in promised if not tested[number]] == []
