"""Where the claim of the dual runtime holds: the map of its ratio, next to a model's prediction.

    python -m tests.benchmarks.dual_map          runs the scenario dual-map, a quarter of an hour
    python -m tests.benchmarks.dual_map RUN      draws an existing run

The model uses the physics (round trips and service times) and two measured numbers: the processor
time of a call of each arm with one user at `CALIBRATED_MS`. The rest is mean value analysis of a
closed network with one queue, the server's processor, and one delay, everything else (Reiser and
Lavenberg, J. ACM 27(2), 1980).
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from mcp_perf import folders
from mcp_perf.results.document.document import ArmNumbers, Report, RoundNumbers
from mcp_perf.results.stats.rounds import compare

RTTS_MS: Final = (2, 5, 10, 20, 40)
USERS: Final = (1, 5, 10, 20, 50)
CALIBRATED_MS: Final = 10
THREADS: Final = 40
"""The bridge's threads: no more calls of control are in progress at once."""
NEAR: Final = 0.15
CLAIMED_RATIO: Final = 3.0
CLAIMED_SHARES: Final = (0.3, 0.5)
"""Relative to control's median journey: 50 to 70 % less."""


@dataclass(frozen=True)
class Cell:
    """What was measured at one round trip and number of users; ratios of dual to control."""

    rtt_ms: int
    users: int
    ratio: float
    interval: tuple[float, float]
    latency: float
    """The ratio of the median journeys."""
    latency_interval: tuple[float, float]
    predicted: float
    cpu: Mapping[str, float]
    """Processors that the processes of each arm used."""
    cost_s: Mapping[str, tuple[float, float]]
    """The processor time of a call of each arm: here, and in the model."""

    @property
    def error(self) -> float:
        """How far the prediction is off, relative to the measurement."""
        return self.predicted / self.ratio - 1

    @property
    def held(self) -> bool:
        """Whether the whole intervals of both halves of the claim are within its bounds."""
        most = self.latency_interval[1]
        return self.interval[0] >= CLAIMED_RATIO and most <= CLAIMED_SHARES[1]


def physics_s(arm: str, rtt_ms: float) -> float:
    """Return the least time of a call: the time that the simulated upstreams take."""
    if arm == "control":  # three requests in turn, each on a new connection
        return (3 * (3 + 1) * rtt_ms + 50 + 20 + 10) / 1000
    return (rtt_ms + 50) / 1000


def throughput(users: int, delay_s: float, cpu_s: float) -> float:
    """Return the calls per second of users who each wait and need the processor.

    Exact mean value analysis: an arriving call finds the queue of a system with one user less.
    """
    queue = rate = 0.0
    for n in range(1, users + 1):
        stay_s = cpu_s * (1 + queue)
        rate = n / (delay_s + stay_s)
        queue = rate * stay_s
    return rate


def predicted(rtt_ms: float, users: int, cpu_s: Mapping[str, float]) -> float:
    """Return the ratio of throughputs that the model predicts."""
    at_once = {"control": min(users, THREADS), "dual": users}
    rates = {arm: throughput(n, physics_s(arm, rtt_ms), cpu_s[arm]) for arm, n in at_once.items()}
    return rates["dual"] / rates["control"]


def cells(report: Report) -> list[Cell]:
    """Return the cells of a run of dual-map."""
    cpu_s = {arm: _cpu_per_call(report, arm) for arm in ("control", "dual")}
    return [_cell(report, rtt_ms, users, cpu_s) for rtt_ms, users in product(RTTS_MS, USERS)]


def table(found: Sequence[Cell]) -> str:
    """Return the cells as a table in Markdown."""
    head = "| RTT | users | dual / control, throughput | predicted | off by | journey p50 | claim |"
    rows = [
        f"| {cell.rtt_ms} ms | {cell.users} | {_ratio(cell.ratio, cell.interval)} "
        f"| {cell.predicted:.2f}x | {cell.error:+.0%} "
        f"| {_ratio(cell.latency, cell.latency_interval)} | {'holds' if cell.held else ''} |"
        for cell in found
    ]
    return "\n".join([head, "|---|---|---|---|---|---|---|", *rows])


def remarks(found: Sequence[Cell]) -> list[str]:
    """Say how good the model is, and why it is off in some cells."""
    off = [cell for cell in found if abs(cell.error) > NEAR]
    near = f"{len(found) - len(off)} of {len(found)} cells are within {NEAR:.0%} of the model."
    return [near, *(f"{cell.rtt_ms} ms, {cell.users} users: {_cause(cell)}" for cell in off)]


def _cause(cell: Cell) -> str:
    costs = ", ".join(
        f"{arm} {1000 * here:.1f} ms (model: {1000 * known:.1f} ms) "
        f"on {cell.cpu[arm]:.2f} processors"
        for arm, (here, known) in cell.cost_s.items()
    )
    measured = _ratio(cell.ratio, cell.interval)
    return f"predicted {cell.predicted:.2f}x, measured {measured}. A call cost {costs}."


def _cell(report: Report, rtt_ms: int, users: int, cpu_s: Mapping[str, float]) -> Cell:
    rounds = {arm: _rounds(report, arm, rtt_ms, users) for arm in ("control", "dual")}
    per_s = {arm: [one.throughput_per_s for one in of] for arm, of in rounds.items()}
    p50 = {arm: [one.journey_ms.p50 for one in of] for arm, of in rounds.items()}
    rate = compare("throughput", "dual", "control", per_s["dual"], per_s["control"])
    time = compare("journey_p50", "dual", "control", p50["dual"], p50["control"])
    if rate.ratio is None or rate.ci95 is None or time.ratio is None or time.ci95 is None:
        raise SystemExit(f"{rtt_ms} ms, {users} users: {[*rate.warnings, *time.warnings]}")
    used = {arm: [one.cpu for one in of if one.cpu is not None] for arm, of in rounds.items()}
    return Cell(
        rtt_ms,
        users,
        rate.ratio,
        rate.ci95,
        time.ratio,
        time.ci95,
        predicted(rtt_ms, users, cpu_s),
        {arm: sum(cpus) / max(1, len(cpus)) for arm, cpus in used.items()},
        {arm: (_cost(of), cpu_s[arm]) for arm, of in rounds.items()},
    )


def _rounds(report: Report, arm: str, rtt_ms: int, users: int) -> list[RoundNumbers]:
    numbers: ArmNumbers = report.arms[f"{arm}-{rtt_ms}ms"]
    return [one for one in numbers.rounds if one.phase == "round" and one.users == users]


def _cpu_per_call(report: Report, arm: str) -> float:
    return _cost(_rounds(report, arm, CALIBRATED_MS, USERS[0]))


def _cost(rounds: Sequence[RoundNumbers]) -> float:
    used_s = sum(one.cpu * one.seconds for one in rounds if one.cpu is not None)
    return used_s / sum(one.journeys_done for one in rounds)


def element(tag: str, *children: ET.Element | str, **attributes: str) -> ET.Element:
    """Build an element; in attribute names an underscore stands for a dash, `class_` for class."""
    names = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    built = ET.Element(tag, names)
    for child in children:
        if isinstance(child, str):
            built.text = child
        else:
            built.append(child)
    return built


def drawn(found: Sequence[Cell]) -> str:
    """Return the map as SVG: each cell has the measured and the predicted value."""
    side, top, left = (92, 46), 60, 70
    shapes = [element("style", _STYLE)]
    for column, title in enumerate(("measured (95 %)", "predicted")):
        x0 = left + column * (len(USERS) * side[0] + 40)
        shapes.append(_text(x0, 22, title, "title"))
        for at, users in enumerate(USERS):
            label = f"{users} user{'s' if users > 1 else ''}"
            shapes.append(_text(x0 + at * side[0] + side[0] / 2, top - 10, label, "middle"))
        for cell in found:
            x = x0 + USERS.index(cell.users) * side[0]
            y = top + RTTS_MS.index(cell.rtt_ms) * side[1]
            shapes += _square(cell, x, y, side, predicted_=bool(column))
    for at, rtt_ms in enumerate(RTTS_MS):
        shapes.append(_text(4, top + at * side[1] + side[1] / 2 + 4, f"{rtt_ms} ms", ""))
    width = left + 2 * len(USERS) * side[0] + 50
    height = top + len(RTTS_MS) * side[1] + 34
    note = "Ratio of throughputs, dual to control. A frame: 3 times or more, and half the latency."
    shapes.append(_text(left, height - 10, note, ""))
    shapes.insert(1, element("rect", width="100%", height="100%", fill="#fff"))
    box = {"viewBox": f"0 0 {width} {height}", "width": str(width), "height": str(height)}
    root = element("svg", *shapes, xmlns="http://www.w3.org/2000/svg", role="img", **box)
    return ET.tostring(root, "unicode")


_STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#222}.title{font-weight:600}"
    ".middle{text-anchor:middle}.small{font-size:10px;text-anchor:middle}"
)


def _square(cell: Cell, x: float, y: float, side: tuple[int, int], *, predicted_: bool) -> list:
    value = cell.predicted if predicted_ else cell.ratio
    share = min(1.0, max(0.0, (value - 1) / 3))
    colour = f"rgb({round(247 - 140 * share)},{round(251 - 60 * share)},{round(255 - 40 * share)})"
    held = not predicted_ and cell.held
    size = {"width": str(side[0] - 3), "height": str(side[1] - 3)}
    frame = {"stroke": "#111" if held else "none", "stroke_width": "2"}
    shapes = [element("rect", x=f"{x + 1.5}", y=f"{y + 1.5}", fill=colour, **size, **frame)]
    middle = x + side[0] / 2
    if predicted_:
        return [*shapes, _text(middle, y + 27, f"{value:.2f}x", "middle")]
    low, high = cell.interval
    between = _text(middle, y + 36, f"{low:.2f} to {high:.2f}", "small")
    return [*shapes, _text(middle, y + 20, f"{value:.2f}x", "middle"), between]


def _text(x: float, y: float, words: str, class_: str):
    return element("text", words, x=f"{x:g}", y=f"{y:g}", class_=class_)


def _ratio(ratio: float, interval: tuple[float, float]) -> str:
    return f"{ratio:.2f}x ({interval[0]:.2f}x to {interval[1]:.2f}x)"


def main(arguments: Sequence[str]) -> None:
    """Run the scenario, or take a run; write map.svg and map.md next to its report."""
    folder = Path(arguments[0]) if arguments else _run()
    report = Report.model_validate_json((folder / "report.json").read_bytes())
    found = cells(report)
    (folder / "map.svg").write_text(drawn(found), encoding="utf-8")
    page = "\n\n".join([table(found), *remarks(found)])
    (folder / "map.md").write_text(page + "\n", encoding="utf-8")
    print(f"{page}\n\n{report.verdict}; {folder / 'map.svg'}")


def _run() -> Path:
    before = set(folders.runs().glob("dual-map-*"))
    subprocess.run([sys.executable, "-m", "mcp_perf", "run", "dual-map"], check=False)
    [folder] = set(folders.runs().glob("dual-map-*")) - before
    return folder


if __name__ == "__main__":
    main(sys.argv[1:])
