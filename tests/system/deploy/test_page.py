"""docs/how-to/ci.md and the files in deploy/ agree."""

import re

from tests.support import ROOT

PAGE = (ROOT / "docs" / "how-to" / "ci.md").read_text("utf-8")
FILES = ("github/load-test.yml", "gitlab/.gitlab-ci.yml")


def test_what_the_page_shows_is_what_the_files_hold():
    """Each block is a verbatim part of a file, and each file is linked."""
    texts = [(ROOT / "deploy" / name).read_text("utf-8") for name in FILES]
    blocks = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 2
    for block in blocks:
        assert sum(block in text for text in texts) == 1, block
    assert all(f"(../../deploy/{name})" in PAGE for name in FILES)
