"""What is added to Locust's own page."""

from mcp_perf.load.web.locust_page import of_one_arm


def test_a_file_that_an_editor_has_locked_takes_nothing_from_the_page(tmp_path, monkeypatch):
    """Emacs puts a broken link next to a file that is being edited."""
    monkeypatch.chdir(tmp_path)
    before = of_one_arm()
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios/.#mine.yaml").symlink_to("me@here.1")
    assert of_one_arm() == before
