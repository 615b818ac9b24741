"""What was wrong with the load generator, and why: figures show the cause."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from mcp_perf.numbers import counted, said
from mcp_perf.results.tally.health import (
    GeneratorHealth,
    GeneratorLimits,
    NodeHealth,
    together,
)

HOT_S: Final = 5.0
"""In a long round, a process that is hot for this long in a row is saturated."""
FEWEST_LAGS: Final = 100
"""The 99th percentile of fewer is only their maximum, and one hiccup would spoil a short run."""

SATURATED: Final = 0.9
"""Fraction of a core that our process used."""
SHARED: Final = 0.5
"""Fraction of our cores that the target's processes used."""
BUSY: Final = 0.25
"""Fraction of the machine that other processes (neither ours nor the target's) used."""
WAITED: Final = 0.05
"""Fraction of the time in which we were ready to run and no core was free."""
PAUSED: Final = 0.8
"""Fraction of the time lost in stalls in which we neither ran nor waited for a core."""

ADVICE: Final[Mapping[str, str]] = {
    "generator_paused": (
        "Something stopped it, such as a signal, a debugger or a sleeping machine. Run again."
    ),
    "generator_saturated": "Use more processes (--processes), more workers, or fewer users.",
    "shares_cores": (
        "Run the target on another machine, give each separate cores, or lower the load."
    ),
    "machine_busy": "Close other programs on this machine, or use another machine.",
    "unexplained_lag": "Use fewer users or more processes (--processes); `mcp-perf doctor` "
    "examines the machine.",
}
"""What helps, by the code of the cause."""


@dataclass(frozen=True)
class Figures:
    """Who used the processors while the generator was unfit to measure, as fractions."""

    own: float
    """Fraction of a core."""
    target: float
    """Fraction of our cores."""
    others: float
    """Fraction of the machine."""
    waited: float
    """Fraction of the time."""
    paused: float
    """Fraction of the time lost in stalls."""
    known: bool = True
    """Whether the system reports what others used."""

    @property
    def cause(self) -> str:
        """The code of the cause. A pause comes first: nothing else stops a process altogether."""
        if self.paused >= PAUSED:
            return "generator_paused"
        if self.own >= SATURATED:
            return "generator_saturated"
        if self.target >= SHARED:
            return "shares_cores"
        if self.others >= BUSY or self.waited >= WAITED:
            return "machine_busy"
        return "unexplained_lag"

    @property
    def told(self) -> str:
        """The figures behind the cause, in words."""
        own = f"it used {_percent(self.own)} of a core"
        others = _percent(self.others) if self.known else "an unknown part"
        return {
            "generator_paused": "it stopped without using the processor",
            "generator_saturated": own,
            "shares_cores": f"the target's processes used {_percent(self.target)} of its cores",
            "machine_busy": (
                f"other programs used {others} of the machine, and it waited for a core "
                f"{_percent(self.waited)} of the time"
            ),
            "unexplained_lag": f"{own}, and other programs used {others} of the machine",
        }[self.cause]


def reasons(health: GeneratorHealth) -> Iterator[tuple[str, str]]:
    """Yield the code of a cause and a sentence for each limit that a process has broken."""
    for name, node in sorted(health.nodes.items()):
        who = "The load generator" + ("" if len(health.nodes) == 1 else f" {name}")
        for text in _hot(node, health.limits):
            yield "generator_saturated", f"{who} {text}. {ADVICE['generator_saturated']}"
        for text, turns in _broken(node, health.limits):
            figures = figures_of(health, name, turns)
            yield figures.cause, f"{who} {text}: {figures.told}. {ADVICE[figures.cause]}"


def unfit(health: GeneratorHealth) -> set[int]:
    """Return the measured rounds in which a process broke a limit.

    A load generator that is unfit to measure causes timeouts, so nobody is to blame for timeouts
    of these rounds.
    """
    found = set(health.broken_turns)
    for node in health.nodes.values():
        if node.hottest_s >= HOT_S:
            found.update(turn for turn, one in node.rounds.items() if one.arm == node.hottest_arm)
        for _, turns in _broken(node, health.limits):
            found.update(turns)
    return found


def figures_of(health: GeneratorHealth, name: str, turns: Collection[int]) -> Figures:
    """Return who used the processors in these rounds of a process."""
    found = together(health.nodes[name].rounds[turn] for turn in turns)
    wall_s, cores = found.wall_s or 1.0, found.cores  # without any time, all figures are 0
    target_s = sum(health.target_cpu_s.get(turn, 0.0) for turn in turns)
    neighbours = [node for other, node in health.nodes.items() if _machine(other) == _machine(name)]
    ours = (node.rounds[turn] for node in neighbours for turn in turns if turn in node.rounds)
    ours_s = sum(one.cpu_s for one in ours)
    others_s = max(0.0, found.machine_s - ours_s - target_s)
    return Figures(
        own=found.cpu,
        target=target_s / (wall_s * cores) if cores else 0.0,
        others=others_s / (wall_s * found.machine_cores) if found.machine_cores else 0.0,
        waited=found.waited_s / wall_s,
        paused=found.paused_s / found.stalled_s if found.stalled_s else 0.0,
        known=found.machine_s > 0,
    )


def _hot(node: NodeHealth, limits: GeneratorLimits) -> Iterator[str]:
    """Yield that a process used a whole core: that alone is a cause."""
    limit = f"used more than {_percent(limits.generator_cpu)} of a core"
    hot = [one for one in node.rounds.values() if limits.is_hot(one.cpu)]
    if hot:
        most = max(hot, key=lambda one: one.cpu)
        rounds = "a round" if len(hot) == 1 else counted(len(hot), "round")
        yield f"{limit} in {rounds}, and {_percent(most.cpu)} in one of {most.arm}"
    elif node.hottest_s >= HOT_S:
        yield f"{limit} for {said(node.hottest_s, 's')} in a row, in rounds of {node.hottest_arm}"


def _broken(node: NodeHealth, limits: GeneratorLimits) -> Iterator[tuple[str, list[int]]]:
    lag_ns = node.lag.percentile(0.99) if node.lag.count >= FEWEST_LAGS else None
    if lag_ns is not None and lag_ns / 1e6 > limits.loop_lag_p99_ms:
        limit = f"p99; the limit is {said(limits.loop_lag_p99_ms, 'ms')}"
        yield f"woke {said(lag_ns / 1e6, 'ms')} late ({limit})", [*node.rounds]
    yield from _stalls(node, limits)
    if node.late > limits.late_starts:
        most = limits.late_starts
        late = [turn for turn, one in node.rounds.items() if one.late_starts > most * one.starts]
        limit = f"the limit is {_percent(most)}"
        yield f"saw {_percent(node.late)} of the arrivals late ({limit})", late


def _stalls(node: NodeHealth, limits: GeneratorLimits) -> Iterator[tuple[str, list[int]]]:
    for arm in dict.fromkeys(one.arm for one in node.rounds.values()):
        of_arm = {turn: one for turn, one in node.rounds.items() if one.arm == arm}
        found = together(of_arm.values())
        stalled = [turn for turn, one in of_arm.items() if one.stalled_s > 0]
        longest = f"{said(found.longest_stall_s, 's')} in"
        if found.lost > limits.lost_time:
            lost = f"lost {said(found.lost_s, 's')} of {said(found.up_to_bell_s, 's')}"
            yield f"{lost} in rounds of {arm} in stalls, {longest} the longest", stalled
        elif found.longest_stall_s > limits.longest_stall_s:
            limit = f"the limit is {said(limits.longest_stall_s, 's')}"
            yield f"lost {longest} one stall, in rounds of {arm} ({limit})", stalled


def _machine(node: str) -> str:
    """Return the machine of a process; Locust names a worker by its host and a random ending."""
    return node.rpartition("_")[0]


def _percent(fraction: float) -> str:
    return said(fraction, "fraction")
