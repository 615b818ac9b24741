"""The report as the history keeps it: as it is, or smaller and saying so."""

import random
import zlib

import pytest

from mcp_perf.results.document.document import Report, SessionPoint
from mcp_perf.results.render.files import html
from mcp_perf.results.render.files.kept import MOST_BYTES, kept
from tests.support import ROOT
from tests.support import example_report as example

SHIPPED = sorted((ROOT / "tests" / "goldens" / "reports").glob("*/report.json"))
HOURS = 6


def read(document: bytes) -> Report:
    """Give the report that was kept."""
    return Report.model_validate_json(zlib.decompress(document))


def long(report: Report, hours: float = HOURS, rounds: int = 0) -> Report:
    """Stretch a report over hours, with a point each second for each arm in turn."""
    seed = random.Random(3)
    arms = list(report.arms)
    points = [
        report.timeline[0].model_copy(
            update={
                "at_s": float(at_s),
                "arm": arms[at_s // 60 % len(arms)],
                "calls_per_s": seed.lognormvariate(5, 1),
                "p50_ms": seed.lognormvariate(1, 1),
                "p95_ms": seed.lognormvariate(3, 1),
            }
        )
        for at_s in range(int(3600 * hours))
    ]
    used = [
        report.resources[0].model_copy(
            update={"at_s": point.at_s, "arm": point.arm, "cpu": seed.random()}
        )
        for point in points[::20]
    ]
    open_ = [
        SessionPoint(at_s=at_s, arm=arm, open=seed.randrange(99), streams=9)
        for at_s in range(2_000)
        for arm in arms
    ]
    longer = {
        name: arm.model_copy(update={"rounds": arm.rounds * max(1, rounds // len(arm.rounds))})
        for name, arm in report.arms.items()
    }
    parts = {"timeline": points, "resources": used, "sessions": open_, "arms": longer}
    return report.model_copy(update=parts)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_a_report_of_usual_size_is_kept_as_it_is(path):
    """Every stored example, to the last digit."""
    report = Report.model_validate_json(path.read_text("utf-8"))
    document = kept(report).document
    assert len(document) <= MOST_BYTES
    assert read(document) == report


def test_a_long_run_keeps_a_report_with_fewer_points_that_says_so():
    """Six hours of points: peaks stay, each table stays, and the page can be made of it."""
    report = long(example.report())
    document = kept(report).document
    assert len(document) <= MOST_BYTES
    less = read(document)
    assert "a point of its charts over time is" in less.notes[-1]
    highest = max(point.p95_ms for point in report.timeline)
    assert max(point.p95_ms for point in less.timeline) == highest
    assert {point.arm for point in less.sessions} == set(report.arms)
    assert less.arms == report.arms
    assert "<figure" in html.render(less)


def test_a_report_with_many_rounds_has_shorter_numbers_and_texts():
    """As far as that is needed, each with a note."""
    report = long(example.report(), hours=1, rounds=800)
    seed = random.Random(5)
    turns = [
        turn.model_copy(update={"calls_per_s": seed.random(), "error_rate": seed.random()})
        for turn in report.arms["mcp"].rounds
    ]
    arms = report.arms | {"mcp": report.arms["mcp"].model_copy(update={"rounds": turns})}
    wordy = "".join(chr(seed.randrange(0x4E00, 0x9000)) for _ in range(19_000))
    failures = [one.model_copy(update={"example": wordy}) for one in report.failures]
    document = kept(report.model_copy(update={"arms": arms, "failures": failures * 9})).document
    assert len(document) <= MOST_BYTES
    less = read(document)
    assert any("numbers have 5 digits" in note for note in less.notes)
    assert less.arms["mcp"].rounds[-1].error_rate == pytest.approx(turns[-1].error_rate, rel=1e-4)


def test_a_report_that_cannot_be_made_small_is_not_kept():
    """The run is in the list all the same."""
    seed = random.Random(7)
    notes = [str(seed.getrandbits(3000)) for _ in range(999)]
    found = kept(example.report(notes=notes))
    assert found.document is None
    assert found.title == example.report().title
