"""What a release changes in two files, and what it refuses."""

import importlib.util

import pytest

from tests.support import ROOT

CHANGES = "# Changelog\n\n## [Unreleased]\n\n- One.\n\n## [0.1.0] - 2026-01-01\n\n- Old.\n"


@pytest.fixture(scope="module")
def release():
    """Load the script."""
    spec = importlib.util.spec_from_file_location("release", ROOT / ".ci" / "release.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_version_is_that_of_the_project(release):
    """It is written in one place. The same version again is the first release."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert release.numbered(text, "99.0.0").count('\nversion = "99.0.0"\n') == 1
    assert release.numbered('\nversion = "0.1.0"\n', "0.1.0") == '\nversion = "0.1.0"\n'


@pytest.mark.parametrize("version", ["0.9.9", "1.0", "v2.0.0", "2.0.0rc1", "2.0.0; id"])
def test_no_version_goes_back(release, version):
    """Other words are refused, too."""
    with pytest.raises(SystemExit, match=r"not before 1\.0\.0"):
        release.numbered('\nversion = "1.0.0"\n', version)


def test_what_is_unreleased_becomes_the_version(release):
    """Its lines are the notes. Unreleased is empty then, and an empty one is refused."""
    text, notes = release.dated(CHANGES, "0.2.0", "2026-02-03")
    assert notes == "- One."
    begin = "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-02-03\n\n- One.\n\n## [0.1.0]"
    assert text.startswith(begin)
    with pytest.raises(SystemExit, match="nothing is new"):
        release.dated(text, "0.3.0", "2026-02-04")
