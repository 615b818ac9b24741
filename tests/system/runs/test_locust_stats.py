"""Locust's statistics, tested in other processes, where importing Locust does no harm."""

import importlib.util
import json
import subprocess
import sys
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import ROOT

US = st.one_of(
    st.integers(1, 3_600_000_000),
    st.integers(0, 31).flatmap(lambda bits: st.integers(1 << bits, 2 << bits)),
)

SHARPENED = """
import json
import locust.stats, locust.html
from mcp_perf.load.web import statistics
entry_of = lambda: locust.stats.StatsEntry(None, "n", "MCP", use_response_times_cache=False)
def percentiles():
    entry = entry_of()
    for us in range(400, 500):
        entry.log(us / 1000, 10)
    return [entry.get_response_time_percentile(p) for p in (0.5, 0.95, 1.0)]
stock = percentiles()
statistics.sharpen()
print(json.dumps({"stock": stock, "sharp": percentiles(),
    "statistics": locust.stats.PERCENTILES_TO_STATISTICS,
    "chart": locust.stats.PERCENTILES_TO_CHART,
    "html": locust.html.PERCENTILES_FOR_HTML_REPORT}))
"""

# A separate locustfile: THE locustfile, plus a print of Locust's statistics at the end.
WATCHING = """
import json, sys
sys.path[:0] = [{root!r}, {root!r} + "/locustfiles"]
from locust import events
from scenario import *

@events.quitting.add_listener
def tell(environment, **_):
    entries = environment.stats.entries.values()
    rows = [[e.method, e.name, e.num_requests, e.num_failures,
             e.get_response_time_percentile(0.5), e.get_response_time_percentile(0.95),
             e.avg_response_time] for e in entries]
    total = environment.stats.total
    rows.append(["", "total", total.num_requests, total.num_failures, 0, 0, 0])
    with open({out!r}, "w") as file:
        json.dump(rows, file)
"""


def run_python(code):
    """Run code in a separate process; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        check=False, capture_output=True, text=True, cwd=ROOT, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def bucket_ms():
    """Load the function with stand-ins for Locust, which would patch this process."""
    stands_in = {name: ModuleType(name) for name in ("locust", "locust.html", "locust.stats")}
    with pytest.MonkeyPatch.context() as patch:
        for name, module in stands_in.items():
            patch.setitem(sys.modules, name, module)
        path = ROOT / "mcp_perf" / "load" / "web" / "statistics.py"
        spec = importlib.util.spec_from_file_location("stats_alone", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module.bucket_ms


@settings(max_examples=500)
@given(us=US)
def test_a_bucket_is_close_to_every_time_in_it(bucket_ms, us):
    """Less than 0.5 % off, from a microsecond to an hour."""
    assert abs(bucket_ms(us / 1000) - us / 1000) <= 0.005 * us / 1000
    assert bucket_ms(bucket_ms(us / 1000)) == bucket_ms(us / 1000)


@given(one=US, other=US)
def test_buckets_keep_the_order_of_times(bucket_ms, one, other):
    """A longer time is never shown as shorter."""
    shorter, longer = sorted((one / 1000, other / 1000))
    assert bucket_ms(shorter) <= bucket_ms(longer)


def test_short_times_are_exact_and_buckets_are_few(bucket_ms):
    """Exact to the microsecond below a quarter of a millisecond; workers can send all buckets."""
    assert all(bucket_ms(us / 1000) == us / 1000 for us in range(256))
    assert len({bucket_ms(1.002**n / 1000) for n in range(11_000)}) < 4000


@pytest.mark.process
def test_locust_tells_times_below_a_millisecond_apart():
    """Locust would show 0 for all of them; here each has its value."""
    told = json.loads(run_python(SHARPENED))
    assert told["stock"] == [0, 0, 0]
    assert told["sharp"] == pytest.approx([0.449, 0.494, 0.499], rel=0.01)
    assert told["statistics"] == [0.5, 0.9, 0.95, 0.99, 0.999]
    assert len(told["chart"]) <= 6
    assert told["html"][-1] == 1.0


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """Run echo with Locust's command; return its rows by name, and our report."""
    folder = tmp_path_factory.mktemp("watched")
    locustfile = folder / "watching.py"
    locustfile.write_text(WATCHING.format(root=str(ROOT), out=str(folder / "rows.json")))
    command = [
        sys.executable, "-m", "locust", "-f", str(locustfile), "--headless",
        "--scenario", "echo", "-u", "2", "-t", "2", "--out", str(folder / "run"),
        "--set", "load.warmup=0.2s", "--set", "load.round=0.2s", "--set", "load.rounds=2",
    ]  # fmt: skip
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=folder, timeout=300
    )
    assert (folder / "rows.json").exists(), done.stderr
    *rows, total = json.loads((folder / "rows.json").read_text())
    report = json.loads((folder / "run" / "report.json").read_text())
    return {(row[0], row[1]): row for row in rows}, total, report


@pytest.mark.load
def test_locust_counts_what_the_report_counts(watched):
    """Both have the same total: measured calls, warm-up and opened sessions; none is lost."""
    _, total, report = watched
    arms = report["arms"].values()
    ours = sum(arm["calls"] + arm["warmup_calls"] + arm["setup_calls"] for arm in arms)
    assert ours > 100
    assert total[2] == ours
    assert total[3] == 0


@pytest.mark.load
def test_locust_shows_the_sessions_beside_the_calls(watched):
    """Opening a session is a separate request, never one of the step's."""
    rows, _, report = watched
    setup = [
        row for (kind, name), row in rows.items() if kind == "MCP" and "tools/call" not in name
    ]
    assert sum(row[2] for row in setup) == report["arms"]["mcp"]["setup_calls"]
    calls = rows["MCP", "mcp · tools/call echo"]
    assert calls[2] == report["arms"]["mcp"]["calls"] + report["arms"]["mcp"]["warmup_calls"]


@pytest.mark.load
@pytest.mark.parametrize(
    ("row", "arm", "step"),
    [
        (("MCP", "mcp · tools/call echo"), "mcp", "tools/call echo"),
        (("GET", "rest · /echo"), "rest", "GET /echo"),
    ],
)
def test_percentiles_of_real_calls_below_a_millisecond_are_seen(watched, row, arm, step):
    """Locust's percentiles are not whole milliseconds, and agree with the report's."""
    rows, _, report = watched
    _, _, _, _, p50, p95, mean = rows[row]
    assert 0 < p50 < p95
    assert {p50, p95} - {round(p50), round(p95)}
    assert mean > 0
    ours = report["arms"][arm]["steps"][step]["latency_ms"]
    # Locust's include the warm-up.
    assert p50 == pytest.approx(ours["p50"], rel=0.3)
