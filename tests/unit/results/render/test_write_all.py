import pytest

from mcp_perf.results.render.files import html
from mcp_perf.results.render.files.write import FORMATS, write_all

NAMES = {
    "html": "report.html",
    "json": "report.json",
    "md": "report.md",
    "csv": "samples.csv",
    "junit": "junit.xml",
}


def test_all_formats_are_written_by_default(example, tmp_path):
    """Without a choice every format is written, under its fixed name, and nothing else is left."""
    paths = write_all(example.report(), example.samples(), tmp_path)
    assert {path.name for path in paths} == set(NAMES.values())
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert all(path.stat().st_size for path in paths)


@pytest.mark.parametrize("name", FORMATS)
def test_one_format_alone(example, tmp_path, name):
    """A chosen format is the only one written, even of hostile text."""
    (path,) = write_all(example.hostile(), example.samples(), tmp_path, [name])
    assert path == tmp_path / NAMES[name]
    path.read_bytes().decode("utf-8")


def test_samples_are_not_read_without_csv(example, tmp_path):
    """Formats that need no samples do not walk through the journal again."""

    def samples():
        pytest.fail("samples were read")
        yield

    write_all(example.report(), samples(), tmp_path, ("json", "html"))


def test_reports_are_replaced_whole(example, tmp_path):
    """Writing again over old reports replaces them."""
    write_all(example.report(), [], tmp_path)
    (path,) = write_all(example.report(verdict="PASS"), [], tmp_path, ["md"])
    assert "PASS" in path.read_text(encoding="utf-8").splitlines()[0]


def test_a_failed_write_leaves_the_old_report_and_no_rubbish(example, tmp_path):
    """When samples break off half-way, the old file is still whole and no temporary file stays."""
    write_all(example.report(), example.samples(), tmp_path, ["csv"])
    before = (tmp_path / "samples.csv").read_bytes()

    def torn():
        yield example.samples()[0]
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        write_all(example.report(), torn(), tmp_path, ["csv"])
    assert [path.name for path in tmp_path.iterdir()] == ["samples.csv"]
    assert (tmp_path / "samples.csv").read_bytes() == before


def test_a_broken_rendering_does_not_take_the_document_with_it(example, tmp_path, monkeypatch):
    """report.json is written first: the others can be made from it again."""

    def broken(_report):
        raise RuntimeError("a fault in a template")

    monkeypatch.setattr(html, "render", broken)
    with pytest.raises(RuntimeError):
        write_all(example.report(), [], tmp_path)
    assert (tmp_path / "report.json").exists()
    assert not (tmp_path / "report.html").exists()
