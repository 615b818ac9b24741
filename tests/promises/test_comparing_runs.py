"""The promises about comparing runs: by simulation, and by real runs of a server that slows."""

import json
import random
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from mcp_perf import folders
from mcp_perf.cli.main import main
from mcp_perf.numbers import THIN
from mcp_perf.results.compare import stored
from mcp_perf.results.compare.compare import compare_pairs, compare_runs
from mcp_perf.results.compare.history import points
from mcp_perf.results.tally.metrics import COMPARED
from mcp_perf.scenario.values.units import TOLERANCE, fraction
from tests.support import ROOT
from tests.support import earlier_runs as earlier
from tests.support.earlier_runs import on_a_machine, verdict_of

TRIALS = 50
SCENARIO = """
name: slowing
title: A server that slows
arms: {mcp: {mcp: "http://127.0.0.1:1/mcp"}}
journeys: {say: {steps: [{call: echo, arguments: {message: hello}}]}}
load: {users: 4, rounds: 6, round: 400ms, warmup: 200ms}
limits: {loop_lag_p99: 10s, lost_time: 100%, generator_cpu: 100%}
"""


def verdicts(base_runs, arms, slower=1.0):
    """Count the verdicts on runs of a machine whose state differs by 3 % from run to run."""
    rng = random.Random(base_runs)
    counts = {"FAIL": 0, "PASS": 0, "INCONCLUSIVE": 0}
    for _ in range(TRIALS):
        base = [on_a_machine(rng, arms) for _ in range(base_runs)]
        new = on_a_machine(rng, arms, slower=slower)
        counts[verdict_of(compare_runs(base, new, 0.05).regressions)] += 1
    return {name: count / TRIALS for name, count in counts.items()}


SIMULATED = [(n, arms) for n in (1, 3, 5) for arms in (("mcp",), ("control", "mcp"))]


@pytest.mark.parametrize(("base_runs", "arms"), SIMULATED)
def test_promise_15_equal_runs_are_not_called_worse(base_runs, arms):
    """Over all metrics, with 3 % noise between runs and 2 % between rounds, at most 5 % fail."""
    assert verdicts(base_runs, arms)["FAIL"] <= 0.05


@pytest.mark.parametrize(("base_runs", "arms"), SIMULATED)
def test_promise_12_a_regression_of_a_fifth_is_found(base_runs, arms):
    """In at least nine of ten runs, with one base run or several."""
    assert verdicts(base_runs, arms, slower=1.2)["FAIL"] >= 0.9


NOISE = {"p90": 0.03, "p95": 0.04, "journey_p95": 0.04, "p99": 0.1}
"""The noise between rounds of metrics that vary by more than 2 %."""


def a_short_run(rng, names=("rest", "mcp")):
    """Give a run of these arms with 8 short rounds each, on a machine that varies by 2 %."""
    arms, state = {}, rng.lognormvariate(0, 0.02)
    for arm in names:
        parts = {
            metric: earlier.noisy(rng, state, NOISE.get(metric, 0.02), n=8) for metric in COMPARED
        }
        series = {metric: part.rounds[metric] for metric, part in parts.items()}
        values = {metric: sum(found) / 8 for metric, found in series.items()}
        arms[arm] = earlier.rounds([1.0] * 8, rounds=series, values=values)
    return earlier.run(arms)


@pytest.mark.parametrize("itself", [True, False])
def test_promise_15_equal_short_runs_pass(itself):
    """Eight rounds with the default tolerance, compared with a similar run or with itself."""
    rng = random.Random(8)
    passed = 0
    for _ in range(40):
        base = a_short_run(rng)
        found = compare_runs([base], base if itself else a_short_run(rng), fraction(TOLERANCE))
        passed += verdict_of(found.regressions) == "PASS"
    assert passed >= 0.8 * 40, passed


@pytest.mark.parametrize("control", [(), ("control",)])
def test_promise_15_many_metrics_together_raise_no_false_alarm(control):
    """Five arms with ten metrics each, all with independent noise, at a tolerance of 5 %.

    Although at least half of the runs have a p-value below 0.05, at most 5 % fail.
    """
    rng = random.Random(5)
    names = [*control, "a", "b", "c", "d", "e"]
    found = [
        compare_runs([a_short_run(rng, names)], a_short_run(rng, names), 0.05).regressions
        for _ in range(40)
    ]
    known = [[row.p_value for row in rows if row.p_value is not None] for rows in found]
    assert sum(min(values) < 0.05 for values in known) >= 20
    assert sum(verdict_of(rows) == "FAIL" for rows in found) <= 2


def on_pairs(rng, slower):
    """Compare five pairs: machine states vary by 30 %, process starts by 2 %, rounds by 2 %."""
    runs = []
    for _ in range(5):
        state = rng.lognormvariate(0, 0.3)
        sides = {"base": 1.0, "head": slower}
        starts = {side: state * rng.lognormvariate(0, 0.02) * sides[side] for side in sides}
        runs.append({side: earlier.noisy(rng, start, n=2) for side, start in starts.items()})
    return verdict_of(compare_pairs(runs, fraction(TOLERANCE)))


@pytest.mark.parametrize(("slower", "verdict"), [(1.0, "PASS"), (1.1, "not FAIL"), (1.25, "FAIL")])
def test_promise_15_pairs_of_fresh_processes_tell_a_slower_release_from_an_equal_one(
    slower, verdict
):
    """In nine of ten comparisons; a release slower by just the tolerance rarely fails."""
    rng = random.Random(26)
    found = [on_pairs(rng, slower) for _ in range(200)]
    if verdict == "not FAIL":
        assert found.count("FAIL") <= 0.05 * 200
    else:
        assert found.count(verdict) >= 0.9 * 200
    assert slower > 1 or "FAIL" not in found


def test_promise_13_five_rounds_show_no_change_between_runs():
    """However large the change is: INCONCLUSIVE, with the number of rounds that is needed."""
    rng = random.Random(1)
    short = {n: earlier.run({"mcp": earlier.noisy(rng, n, n=5)}) for n in (1, 5)}
    found = compare_runs([short[1]], short[5], 0.05).regressions
    assert verdict_of(found) == "INCONCLUSIVE"
    assert "at least 6 in each" in found[0].reason


@dataclass
class Place:
    """A folder with a scenario, for runs against a server and against a slower one."""

    folder: Path
    servers: dict[str, str]
    cli: Callable

    def run(self, name, *more, server="fast"):
        """Make a run in a folder with this name."""
        target = f"mcp={self.servers[server]}/mcp"
        return self("run", "slowing.yaml", "--target", target, "--out", name, *more)

    def __call__(self, *argv):
        """Run a command."""
        ended = self.cli(*argv, cwd=self.folder)
        assert "Traceback" not in ended.output
        return ended


@pytest.fixture(scope="module")
def place(tmp_path_factory, run_cli, start_echo):
    """Make and save a base run; make a second one, one of a slower server, one of another load."""
    made = Place(tmp_path_factory.mktemp("runs"), {}, run_cli)
    for name, delay in (("fast", "20ms"), ("slow", "26ms")):
        made.servers[name] = start_echo("--delay", delay)
    (made.folder / "slowing.yaml").write_text(SCENARIO)
    for name, server, *more in (
        ("base", "fast"), ("same", "fast"), ("slow", "slow"), ("load", "fast", "-u", "2"),
    ):  # fmt: skip
        ended = made.run(name, *more, server=server)
        assert ended.code == 0, ended.output
    ended = made("baseline", "save", "base")
    assert (ended.code, ended.stdout) == (0, "baselines/slowing.json: 1 run\n")
    return made


@pytest.mark.load
def test_promise_15_two_runs_of_the_same_show_no_regression(place):
    """The comparison of two real runs is not FAIL; a busy machine may leave it open."""
    ended = place("compare", "base", "same", "--tolerance", "40%")
    assert ended.code in (0, 90), ended.output
    assert "between runs" in ended.output
    ended = place("compare", "base", "same", "--tolerance", "40%", "--out", "compared")
    assert (
        json.loads((place.folder / "compared" / "compare.json").read_text("utf-8"))["exit_code"]
        == ended.code
    )
    written = {path.name for path in (place.folder / "compared").iterdir()}
    assert written == {"compare.html", "compare.json", "compare.md"}


@pytest.mark.load
def test_promise_15_a_server_that_is_slower_by_a_third_fails(place):
    """`compare` exits with 99 and shows the metric, its values and its interval, in every order."""
    ended = place("compare", "base", "same", "slow")
    assert ended.code == 99, ended.output
    assert "mcp.p50 is 1." in ended.output
    assert "the tolerance ends at 1.1\u00d7" in ended.output
    assert place("compare", "slow", "base", "--tolerance", "40%").code in (0, 90)


QUICK_PAIRS = ("--repeat", "3", "--set", "load.round=300ms", "--set", "load.warmup=100ms")


@pytest.mark.load
def test_promise_15_a_release_that_is_slower_by_a_third_fails_by_one_command(place):
    """Base and head take turns in three pairs, and Markdown says what is slower."""
    base, head = (f"{place.servers[side]}/mcp" for side in ("fast", "slow"))
    ended = place("compare", "--base", base, "--head", head, *QUICK_PAIRS, "slowing.yaml")
    assert ended.code == 99, ended.output
    assert f"Base: `{base}`. Tolerated: 10{THIN}%. Exit code 99." in ended.stdout
    assert "head.p50 is 1." in ended.stdout
    assert "3 pairs of fresh processes, in each of them 2 rounds" in ended.output
    assert "Pair 3 of 3" in ended.stderr


@pytest.mark.load
def test_promise_15_a_command_is_a_release_and_no_difference_to_itself_is_claimed(place):
    """A stdio server is started again for each pair; if one cannot be started, it ends with 108."""
    echo = shlex.join([sys.executable, str(ROOT / "mcp_targets" / "stdio.py"), "echo"])
    words = (*QUICK_PAIRS, "--out", "releases", "--tolerance", "40%", "slowing.yaml")
    ended = place("compare", "--base", echo, "--head", echo, *words)
    assert ended.code in (0, 90), ended.output
    assert (place.folder / "releases" / "compare.md").read_text("utf-8") == ended.stdout
    ended = place("compare", "--base", echo, "--head", "no-such-server", "slowing.yaml")
    assert (ended.code, ended.stdout) == (108, ""), ended.output
    assert "head: cannot start no-such-server" in ended.stderr


@pytest.mark.load
def test_promise_15_a_run_fails_by_its_baseline_and_rebuilds_so(place, report):
    """The regression is in every report, with exit code 99; the journal alone gives the same."""
    ended = place.run("judged", "--baseline", "baselines/slowing.json", server="slow")
    assert ended.code == 99, ended.output
    folder = place.folder / "judged"
    before = report(folder)
    assert before["reasons"][0]["text"].startswith("Regression: mcp.")
    assert any(row["verdict"] == "FAIL" for row in before["regressions"])
    assert "Regression: mcp." in (folder / "report.html").read_text("utf-8")
    (place.folder / "baselines" / "slowing.json").rename(place.folder / "elsewhere.json")
    try:
        assert place("report", "judged").code == 0
    finally:
        (place.folder / "elsewhere.json").rename(place.folder / "baselines" / "slowing.json")
    assert report(folder) == before


@pytest.mark.load
def test_promise_17_what_cannot_be_compared_is_refused_before_the_first_request(place, counters):
    """Another load is 104, with both values named; nothing is sent, and no folder is made."""
    seen = counters(place.servers["fast"])
    ended = place.run("refused", "--baseline", "baselines/slowing.json", "-u", "2")
    assert ended.code == 104
    assert "load.users: 4 in the base, 2 now" in ended.stderr
    assert counters(place.servers["fast"]) == seen
    assert not (place.folder / "refused").exists()
    ended = place("compare", "base", "load")
    assert ended.code == 104
    assert "load cannot be compared with base: load.users: 4 in the base, 2 now" in ended.stderr


@pytest.mark.load
def test_promise_17_an_arm_of_the_baseline_that_is_gone_never_passes(place, tmp_path):
    """A renamed entry leaves the run INCONCLUSIVE, and is named."""
    path = place.folder / "baselines" / "slowing.json"
    baseline = json.loads(path.read_text("utf-8"))
    [run] = baseline["runs"]
    run["arms"]["renamed"] = run["arms"]["mcp"]
    (tmp_path / "b.json").write_text(json.dumps(baseline))
    ended = place("compare", tmp_path / "b.json", "same", "--tolerance", "100%")
    assert ended.code == 90
    assert "The arm renamed of the base is not in this run." in ended.output


@pytest.mark.load
def test_promise_17_an_older_journal_is_refused_with_what_to_do(place):
    """A run that does not record what it did cannot be compared."""
    shutil.copytree(place.folder / "base", place.folder / "old")
    path = place.folder / "old" / "journal.jsonl"
    first, rest = path.read_text("utf-8").split("\n", 1)
    record = json.loads(first)
    del record["workload"]
    path.write_text(json.dumps(record) + "\n" + rest)
    ended = place("compare", "old", "same")
    assert ended.code == 104
    assert "the base does not say what it did" in ended.stderr


@pytest.mark.load
@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("compare", "base", "none"), "There is no journal.jsonl in none"),
        (("compare", "none.json", "same"), "none.json cannot be read"),
        (("compare", "base", "same", "--tolerance", "5"), "write it like 90%"),
        (("compare", "base", "same", "--tolerance", "0%"), "write more than 0%"),
        (("compare", "base", "same", "--out", "slowing.yaml"), "--out slowing.yaml: cannot be"),
        (("compare", "base"), "Missing argument 'NEW...'"),
        (("compare", "--head", "x", "slowing.yaml"), "write --base COMMAND|URL, --head"),
        (("compare", "--base", "x", "--head", "'y", "slowing.yaml"), "close the quote"),
        (("compare", "--base", "x", "--head", "y", "none.yaml"), "there is no such scenario"),
        (("baseline", "save", "base", "load"), "load cannot be compared with base: load.users"),
        (("baseline", "save", "base", "base"), "named twice"),
        (("baseline", "show", "slowing.yaml"), "is not a baseline"),
        (("trend", "unknown"), "The history has no run of unknown that was measured properly"),
        (("trend", "--metric", "p95"), "write ARM.METRIC, such as mcp.p95"),
        (("trend", "--store", "nowhere"), "not the URL of a database"),
    ],
)
def test_a_mistake_is_told_in_words(place, argv, said, monkeypatch):
    """104 and one message."""
    monkeypatch.chdir(place.folder)
    ended = CliRunner().invoke(main, argv)
    assert ended.exit_code == 104, ended.output
    assert said in " ".join(ended.output.split())


@pytest.mark.load
@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--store", "nowhere"), "not the URL of a database"),
        (("--baseline", "none"), "--baseline none cannot be read"),
        (
            ("--baseline", "baselines/slowing.json", "--tolerance", "much"),
            "--tolerance: 'much' is not a percentage",
        ),
    ],
)
def test_a_mistake_is_told_before_a_run(place, argv, said):
    """104, one message, nothing sent."""
    ended = place("run", "slowing.yaml", *argv)
    assert ended.code == 104, ended.output
    assert said in ended.output


@pytest.mark.load
def test_every_finished_run_is_in_the_history_and_the_trend_shows_it(place):
    """With its verdict; only comparable runs are in one line."""
    store = f"sqlite:///{folders.runs(place.folder)}/history.sqlite"
    found = points(store, "slowing", [("mcp", "p50")])
    assert len(found) >= 4
    assert len({point.group for point in found}) == 2
    assert stored.document(store, found[-1].run_id).verdict == found[-1].verdict
    ended = place("trend", "slowing", "--metric", "mcp.p50", "--html", "trend.html")
    assert ended.code == 0, ended.output
    assert "slowing, arm mcp: p50 (1 of 2)" in ended.stdout
    assert "load.users: 4 in the base, 2 now" in ended.output
    assert "<figure>" in (place.folder / "trend.html").read_text("utf-8")


@pytest.mark.load
def test_a_history_that_cannot_be_written_costs_no_run(place):
    """A warning without the store's password; reports and exit code are the same."""
    store = "postgresql://me:canary@127.0.0.1:1/runs"
    ended = place.run("unstored", "--store", store)
    assert ended.code == 0, ended.output
    assert "@127.0.0.1:1/runs cannot be used" in ended.output
    assert (place.folder / "unstored" / "report.html").is_file()
    texts = [path.read_text("utf-8") for path in (place.folder / "unstored").glob("*.*")]
    assert not any("canary" in text for text in [*texts, ended.output])
