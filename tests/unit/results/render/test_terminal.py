"""The terminal's summary: what it leaves to the report when there is too much of it."""

import io
from pathlib import Path

from rich.console import Console

from mcp_perf.results.document.comparison import Comparison
from mcp_perf.results.document.document import Failure, StepReplies
from mcp_perf.results.render.console import terminal


def printed(example, arms):
    """Print a report in which so many arms are compared with the control."""
    metrics = ("throughput", "p50", "journey_p50", "journey_p95", "cpu_per_journey")
    rows = [
        Comparison(
            metric=metric,
            arm=f"arm-{number}",
            versus="control",
            ratio=1.5,
            ci95=(1.4, 1.6),
            p_value=0.01,
            effect_needed=1.1,
        )
        for number in range(arms)
        for metric in metrics
    ]
    report = example.report().model_copy(update={"comparisons": rows})
    console = Console(file=io.StringIO(), width=80)
    terminal.summary(report, Path("out"), console)
    return console.file.getvalue()


def test_two_comparisons_are_shown_in_every_metric(example):
    """There is room for them."""
    text = printed(example, 2)
    rows = [line.split()[0] for line in text.splitlines() if " / control" in line]
    assert rows.count("p50") == 2
    assert "The other metrics are in the report." not in text


def test_of_many_arms_only_the_headlines_are_compared(example):
    """Nine arms in eleven metrics would push the verdict's table off the screen."""
    text = printed(example, 3)
    rows = [line.split()[0] for line in text.splitlines() if " / control" in line]
    assert rows == ["throughput", "journey_p50", "journey_p95", "cpu_per_journey"] * 3
    assert "The other metrics are in the report." in text


def shown(example, **changes):
    """Print a report, changed."""
    console = Console(file=io.StringIO(), width=80)
    terminal.summary(example.report().model_copy(update=changes), Path("out"), console)
    return console.file.getvalue()


def test_promise_29_what_came_for_no_call_is_shown_among_the_blemishes(example):
    """Whether a gate asks for it or not; other notes are left to the report."""
    notes = ["Stray: 7 pieces came\x1b from mcp (no_message)", "Something else."]
    text = shown(example, notes=notes)
    assert "\nStray: 7 pieces came\\x1b from mcp (no_message)\n\n" in text
    assert "Something else." not in text
    assert "Stray" not in shown(example, notes=[])


def test_a_failed_check_is_shown_with_the_reply(example):
    """The author of the expectation sees at once what there was instead."""
    failure = Failure(arm="mcp", step="s", cls="check_failed", count=3, example="expect x: found")
    replied = StepReplies(arm="mcp", step="s", first={"check_failed": '{"y": 1}\x1b[2J'})
    text = shown(example, failures=[failure], replies=[replied])
    assert "mcp: 3 x check_failed in s: expect x: found\n" in text
    assert '  the reply: {"y": 1}\\x1b[2J' in text
    assert "the reply:" not in shown(example)


def test_what_is_odd_in_ok_replies_is_said(example):
    """A run that passes on errors in disguise says so before its verdict."""
    text = shown(example)
    assert "30 % of the ok answers of mcp look like errors" in text.partition("FAIL (exit")[0]


def test_the_slowest_steps_stand_first_and_those_of_one_name_together(example):
    """A tool that fails, or takes longest, is not hidden among others; ten are shown."""
    arm = next(iter(example.report().arms.values()))
    one = next(iter(arm.steps.values()))

    def step(p95, error_rate=0.0, compared=None):
        latency = one.latency_ms.model_copy(update={"p95": p95})
        changes = {"latency_ms": latency, "error_rate": error_rate, "compared": compared}
        return one.model_copy(update=changes)

    steps = {f"step {n}": step(float(n)) for n in range(12)} | {"bad": step(0.1, 0.5)}
    ratio = Comparison(
        metric="p50", arm="b", versus="a", ratio=1.5, ci95=None, p_value=None, effect_needed=None
    )
    arms = {
        "a": arm.model_copy(update={"steps": steps}),
        "b": arm.model_copy(update={"steps": {"step 11": step(9.0, compared=ratio)}}),
    }
    lines = shown(example, arms=arms).splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("step "))
    names = [line.split("  ")[0].strip() for line in lines[start + 1 : start + 12]]
    assert names[:4] == ["bad", "step 11", "step 11", "step 10"]
    assert "1.50" in lines[start + 3]
    assert "The other steps are in the report." in lines
    alone = {"a": arm.model_copy(update={"steps": {"x": one}})}
    assert not any(line.startswith("step ") for line in shown(example, arms=alone).splitlines())


def test_the_report_that_is_named_is_one_that_was_written(example, tmp_path):
    """The page, or the report that was asked for instead."""
    (tmp_path / "report.json").touch()
    (tmp_path / "report.pdf").touch()
    console = Console(file=io.StringIO(), width=80)
    terminal.summary(example.report(), tmp_path, console)
    assert console.file.getvalue().endswith("report.pdf\n")
