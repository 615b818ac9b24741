"""What the history has of its runs without their folders: a list, and each report as it was."""

import sqlite3

import pytest

from mcp_perf.results.compare.baseline import of_report
from mcp_perf.results.compare.history import HistoryError, append, points
from mcp_perf.results.compare.stored import RunFilter, document, metrics, prune, runs, scenarios
from mcp_perf.results.render.files.kept import kept
from tests.support import example_report as example
from tests.support.earlier_runs import identity, rounds, run

DAYS = [f"2026-0{month}-01T00:00:00Z" for month in (1, 2, 3, 4)]

ALL = RunFilter()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.database)])
def kind(request):
    """Name each kind of store."""
    return request.param


@pytest.fixture
def filled(store):
    """Fill a store with four runs, the newest without a report."""
    for day, verdict in zip(DAYS, ("PASS", "FAIL", "PASS"), strict=False):
        report = example.report(verdict=verdict, started=day, run_id=f"run-{day[5:7]}")
        append(store, of_report(report), kept(report))
    bare = run({"mcp": rounds([1.0, 1.1])}, "run-04", started=DAYS[3], identity=identity())
    append(store, bare)
    return store


def named(store, wanted=ALL, **page):
    """List the ids of runs."""
    return [one.run_id for one in runs(store, wanted, **page).runs]


def test_a_report_is_read_from_the_store_as_it_was(filled):
    """To the last number: what is rendered from it is the same."""
    report = example.report(verdict="FAIL", started=DAYS[1], run_id="run-02")
    assert document(filled, "run-02") == report
    assert document(filled, "run-04") is None
    assert document(filled, "unknown") is None


def test_the_youngest_runs_are_listed_first_page_by_page(filled):
    """With what their reports say; a run without a report has the rest."""
    bare, third, *_ = runs(filled).runs
    report = example.report()
    assert (bare.run_id, bare.scenario, bare.has_report) == ("run-04", "echo", False)
    assert (bare.targets, bare.duration_s) == ({}, None)
    assert third.has_report
    assert third.targets == {name: arm.target for name, arm in report.arms.items()}
    assert third.duration_s == report.duration_s
    assert named(filled, limit=2, offset=1) == ["run-03", "run-02"]
    assert runs(filled, limit=1).total == 4


def test_tools_and_steps_have_metrics_next_to_their_arm(filled):
    """Their names say which tool it is; a run without a report has only the metrics of arms."""
    report = example.report()
    label, step = next(iter(report.arms["mcp"].steps.items()))
    name = f"tool[{label.removeprefix('tools/call ')}].p95"
    known = metrics(filled, report.scenario)
    assert {("mcp", "p95"), ("mcp", name), ("control", "error_rate")} < set(known)
    assert [point.value for point in points(filled, report.scenario, [("mcp", name)])] == [
        step.latency_ms.p95
    ] * 3
    assert not any("[" in metric for _, metric in metrics(filled, "echo"))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (RunFilter(scenario="echo"), ["run-04"]),
        (RunFilter(verdict="FAIL"), ["run-02"]),
        (RunFilter(since="2026-02", until="2026-04"), ["run-03", "run-02"]),
        (RunFilter(text="RUN-01"), ["run-01"]),
        (RunFilter(text="127.0.0.1", verdict="PASS"), ["run-03", "run-01"]),
        (RunFilter(text="run%0"), []),
    ],
)
def test_runs_are_found_by_what_is_known_of_them(filled, wanted, found):
    """Scenario, verdict, time, and words in whatever names them; the total counts only these."""
    assert named(filled, wanted) == found
    assert runs(filled, wanted, limit=1).total == len(found)


def test_scenarios_are_named_once(filled):
    """For whoever chooses among them."""
    assert scenarios(filled) == sorted({"echo", example.report().scenario})


@pytest.mark.parametrize(
    ("before", "left"),
    [
        (DAYS[2], ["run-04", "run-03"]),
        ("9", []),
        (DAYS[0], ["run-04", "run-03", "run-02", "run-01"]),
    ],
)
def test_old_runs_are_deleted_with_all_that_belongs_to_them(filled, before, left):
    """Those that began before a moment, and no others."""
    assert prune(filled, before) == 4 - len(left)
    assert named(filled) == left
    assert {point.run_id for point in points(filled)} == set(left)
    assert [one for one in ("run-01", "run-03") if document(filled, one)] == [
        one for one in ("run-01", "run-03") if one in left
    ]


def test_a_file_shrinks_when_runs_go(tmp_path):
    """SQLite returns their space to the disk."""
    path = tmp_path / "h.sqlite"
    report = example.report()
    for _ in range(20):
        append(f"sqlite:///{path}", of_report(report), kept(report))
    before = path.stat().st_size
    append(f"sqlite:///{path}", of_report(report.model_copy(update={"started": "9"})))
    assert prune(f"sqlite:///{path}", "9") == 20
    assert path.stat().st_size < before / 2


def test_a_store_that_was_never_written_has_no_runs(store):
    """Reading it works."""
    assert runs(store) == ([], 0)
    assert document(store, "r") is None
    assert prune(store, "9") == 0


def test_a_store_from_before_reports_were_kept_goes_on(tmp_path):
    """Its runs are listed, and those to come have their reports."""
    path = tmp_path / "h.sqlite"
    append(f"sqlite:///{path}", run({"mcp": rounds([1.0, 1.1])}, "old"))
    older = sqlite3.connect(path)
    older.execute("DROP TABLE mcp_perf_reports")
    older.close()
    assert [one.run_id for one in runs(f"sqlite:///{path}").runs] == ["old"]


def test_a_report_that_cannot_be_read_is_refused_in_words(tmp_path):
    """A later version may have written it."""
    path = tmp_path / "h.sqlite"
    report = example.report()
    append(f"sqlite:///{path}", of_report(report), kept(report)._replace(document=b"none"))
    with pytest.raises(HistoryError, match="cannot be read: it is damaged, or another version"):
        document(f"sqlite:///{path}", report.run_id)


def test_a_report_is_never_unpacked_beyond_what_a_run_writes(tmp_path, monkeypatch):
    """Whoever can write to the store does not fill our memory."""
    path = tmp_path / "h.sqlite"
    report = example.report()
    append(f"sqlite:///{path}", of_report(report), kept(report))
    monkeypatch.setattr("mcp_perf.results.compare.stored._LARGEST", 1_000)
    with pytest.raises(HistoryError, match="cannot be read"):
        document(f"sqlite:///{path}", report.run_id)
