"""Where runs go, and what git sees of them."""

import pytest

from mcp_perf import folders


@pytest.fixture
def checkout(tmp_path):
    """Make the files by which a checkout is recognised."""
    for name in ("mcp_perf", "reports/templates"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "reports/templates/report.html.j2").touch()
    return tmp_path


def test_runs_of_a_checkout_go_to_its_reports(checkout):
    """That folder is made for runs."""
    assert folders.runs(checkout) == checkout / "reports/out"


@pytest.mark.parametrize("own", ["reports", "reports/templates", "mcp_perf"])
def test_elsewhere_they_go_to_a_folder_of_their_own(tmp_path, own, monkeypatch):
    """A user's package called `reports` is left alone."""
    (tmp_path / own).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert str(folders.runs()) == "mcp-perf-out"


def test_git_ignores_all_of_the_folder(tmp_path):
    """Its `.gitignore` exists from the first run on, and a user may change it."""
    folders.make(tmp_path / "mcp-perf-out" / "echo-1")
    ignored = tmp_path / "mcp-perf-out" / ".gitignore"
    assert ignored.read_text("utf-8") == "*\n"
    ignored.write_text("*.jsonl\n")
    folders.make(tmp_path / "mcp-perf-out" / "echo-2")
    assert ignored.read_text("utf-8") == "*.jsonl\n"


def test_a_folder_that_the_user_names_gets_nothing_else(tmp_path):
    """The user decides what git does with it."""
    folders.make(tmp_path / "results" / "echo")
    assert [path.name for path in tmp_path.rglob("*")] == ["results", "echo"]
