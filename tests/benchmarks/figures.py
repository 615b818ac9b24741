"""The figures that docs/explanation/performance.md quotes, measured again by `make bench`.

Clients are measured in turns: if the machine's speed changes, it changes for all of them. Each turn
runs one client twice, which shows the difference that comes without any reason.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastapi.testclient import TestClient

from mcp_perf.dashboard.app import create_app
from mcp_perf.results.stats.rounds import compare
from mcp_targets.launcher.systems import Systems
from tests.benchmarks import dual_map, whole
from tests.benchmarks.clients import PLAIN, SAVES, fast_http, growth, ours, profile, sdk
from tests.support.many_runs import fill

TURNS = 6
"""Fewer pairs have no interval."""
SECONDS = 60
"""For a whole process: in a minute, its start is a small part."""
HELPS = 5
RUNS = 10_000


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    what: str
    unit: str
    values: Sequence[float]
    interval: tuple[float, float] | None = None
    """The 95 % interval of a ratio of pairs. Other figures have their minimum and maximum shown."""

    def cells(self) -> tuple[str, ...]:
        """Return the contents of the columns."""
        low, high = self.interval or (min(self.values), max(self.values))
        spread = f"{_digits(low)} to {_digits(high)}" + (" (95 %)" if self.interval else "")
        middle = _digits(statistics.median(self.values))
        return self.what, f"{middle} {self.unit}", spread, str(len(self.values))


def help_ms() -> float:
    """Return the CPU time of `mcp-perf --help`, including the start of Python."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [Path(sys.executable).with_name("mcp-perf"), "--help"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def lists(folder: Path) -> Iterator[Figure]:
    """Measure the time of a page of the list if the store has many runs: at most 200 ms."""
    _say(f"a history of {RUNS} runs")
    store = f"sqlite:///{folder}/history.sqlite"
    fill(store, RUNS)
    dashboard = TestClient(create_app(store))
    asked = {"first page": "", "last page": f"?page={RUNS // 50}", "by words": "?text=buy-number"}
    for what, query in asked.items():
        used = []
        for _ in range(HELPS):
            before = time.process_time()
            dashboard.get(f"/runs{query}").raise_for_status()
            used.append(1000 * (time.process_time() - before))
        yield Figure(f"CPU of the dashboard's list of {RUNS} runs: {what}", "ms", used)


def calls(folder: Path, turns: int = TURNS) -> Iterator[Figure]:
    """Measure a tools/call of each client in turns; each comes first equally often."""
    with Systems(folder / "logs") as systems:
        url = systems.face("echo/mcp").url
        streams, rest = systems.face("echo/mcp?replies=sse").url, systems.face("echo/rest").url
        clients: dict[str, Callable[[], float]] = {
            "mcp-perf, all on": lambda: ours(url, folder)[0],
            "mcp-perf again": lambda: ours(url, folder)[0],
            "replies by SSE": lambda: ours(streams, folder)[0],
            "saves and templates": lambda: ours(url, folder, SAVES)[0],
            "plain HTTP": lambda: ours(rest, folder, PLAIN, "rest")[0],
            "FastHttpUser, no checks": lambda: fast_http(url, folder),
            "client of the Python SDK": lambda: sdk(url),
        }
        found: dict[str, list[float]] = {name: [] for name in clients}
        for turn in range(turns):
            for name in list(clients)[:: -1 if turn % 2 else 1]:
                _say(f"turn {turn + 1} of {turns}: {name}")
                found[name].append(clients[name]())
    for name, values in found.items():
        yield Figure(f"CPU per tools/call: {name}", "us", values)
    first, *others = found
    for name in others:
        yield ratio(name, first, found[name], found[first])


def ratio(name: str, base_name: str, values: Sequence[float], base: Sequence[float]) -> Figure:
    """Compare two clients by pairs, as a report compares arms by rounds."""
    pairs = [value / other for value, other in zip(values, base, strict=True)]
    interval = compare("mean", name, base_name, values, base).ci95
    return Figure(f"CPU per tools/call: {name} / {base_name}", "x", pairs, interval)


def processes(folder: Path, seconds: int = SECONDS) -> list[tuple[str, ...]]:
    """Run each client alone, including start and end; return a row for each."""
    rows: list[tuple[str, ...]] = []
    least: float | None = None
    with Systems(folder / "logs") as systems:
        url = systems.face("echo/mcp").url
        for name, measure in whole.RUNNERS.items():
            _say(f"{seconds} s of {name}")
            try:
                found = measure(url, folder, seconds)
            except whole.NotThere as error:
                rows.append((name, str(error), "", ""))
                continue
            least = least or found.cpu_us  # ours comes first
            cells = (_digits(found.per_s), _digits(found.cpu_us), f"{found.cpu_us / least:.2f} x")
            rows.append((name, *cells))
    return rows


def layers(folder: Path) -> list[tuple[str, ...]]:
    """Sample a run; return a row for each layer of a call, the most expensive first."""
    _say("a profile of our calls")
    with Systems(folder / "logs") as systems:
        found = profile(systems.face("echo/mcp").url, folder)
    whole = sum(found.values())
    return [(name, f"{us:.1f}", f"{us / whole:.0%}") for name, us in found.items()]


def memory(folder: Path) -> Iterator[Figure]:
    """Measure how the load generator grows with the calls that it makes."""
    _say("memory over many calls")
    found = growth(folder)
    per_call = found.grown_bytes / found.counted
    yield Figure(f"memory per call, over {found.counted} calls", "bytes", [per_call])
    yield Figure("memory of the load generator at most", "MB", [found.most_bytes / 1e6])


def table(figures: Sequence[Figure]) -> str:
    """Return the figures in columns of the necessary width."""
    return columns(
        ("figure", "median", "from least to most", "n"), [one.cells() for one in figures]
    )


def columns(head: tuple[str, ...], found: Sequence[tuple[str, ...]]) -> str:
    """Return rows below their head, in columns of the necessary width."""
    rows = [head, *found]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def main() -> None:
    """Measure everything. This takes about half an hour on an otherwise idle machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS, help="how many pairs of turns")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of each whole process")
    asked = parser.parse_args()
    figures = [Figure("CPU of `mcp-perf --help`", "ms", [help_ms() for _ in range(HELPS)])]
    with tempfile.TemporaryDirectory() as folder:
        figures += lists(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        figures += calls(Path(folder), asked.turns)
    with tempfile.TemporaryDirectory() as folder:
        figures += memory(Path(folder))
    print(table(figures))
    with tempfile.TemporaryDirectory() as folder:
        head = (f"whole process, {asked.seconds} s", "calls/s", "CPU us per call", "vs ours")
        print(f"\n{columns(head, processes(Path(folder), asked.seconds))}")
    with tempfile.TemporaryDirectory() as folder:
        print(f"\n{columns(('layer of a call', 'us', 'share'), layers(Path(folder)))}")
    dual_map.main([])


def _digits(value: float) -> str:
    """Write three digits, or all digits before the point."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
