"""The summary of the arms as rows: what is said of an arm, in which order and units."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from mcp_perf import numbers
from mcp_perf.outcomes import CLASSES
from mcp_perf.results.document import target_numbers as target
from mcp_perf.results.document.document import TIMES, ArmNumbers
from mcp_perf.results.render.words import wording

MANY_SESSIONS: Final = 100
"""From this number on, the memory of a session is written even without an interval."""


class Row(NamedTuple):
    """One line of the summary: `cells` are in the order of the arms."""

    label: str
    gloss: str
    cells: tuple[str, ...]


def growth(used: target.ResourceNumbers) -> str:
    """Write the growth of memory by its interval: without one, a slope means nothing."""
    if used.growth_ci95 is None:
        return numbers.NONE
    low, high = (numbers.significant(100 * end) for end in used.growth_ci95)
    return f"{low} to {high}{numbers.THIN}%"


def tells_memory(held: target.SessionNumbers) -> bool:
    """Tell whether the memory of a session says anything: it has an interval, or many sessions."""
    return held.kib_ci95 is not None or (held.most or 0) >= MANY_SESSIONS


def per_session(held: target.SessionNumbers) -> str:
    """Write the memory of a session: by its interval, or, of many, without one."""
    if held.kib_ci95 is not None:
        low, high = (numbers.significant(end) for end in held.kib_ci95)
        return f"{low} to {high}{numbers.THIN}KiB"
    if held.kib is None or not tells_memory(held):
        return numbers.NONE
    return f"{numbers.with_unit(held.kib, 'KiB')}, without an interval"


_WRITE: Final[Mapping[str, Callable[[Any], str]]] = {
    write.__name__: write
    for write in (
        *(numbers.rate, numbers.percent, numbers.count, numbers.ms, numbers.byte_size),
        *(numbers.significant, growth, per_session),
    )
}


def _at(arm: ArmNumbers, path: str) -> Any:
    """Follow the names of a path, such as `sessions.most`; None if there is nothing there."""
    value: Any = arm
    for name in path.split(".") if path else ():
        if value is not None:
            value = value.get(name) if isinstance(value, dict) else getattr(value, name)
    return value


def _row(group: str, label: str, told: str, arms: Sequence[ArmNumbers]) -> Row:
    """Read one line of `wording.toml`: `WRITE PATH`, or `WRITE PATH if PATH`."""
    (write, path), needed = told.split(" ")[:2], told.partition(" if ")[2]
    cells = (_WRITE[write](_at(arm, path) if _at(arm, needed) else None) for arm in arms)
    meaning = "" if group.startswith("Time") else wording.metric(label)
    return Row(label, wording.TEXTS["glosses"].get(label, meaning), tuple(cells))


def _of_classes(arms: Sequence[ArmNumbers]) -> list[Row]:
    """Count how the calls ended: the known classes in their order, then any other."""
    others = sorted({name for arm in arms for name in arm.classes} - set(CLASSES))
    return [
        Row(
            name,
            wording.CLASSES.get(name, ""),
            tuple(numbers.count(arm.classes.get(name, 0)) for arm in arms),
        )
        for name in (*CLASSES, *others)
    ]


def groups(arms: Mapping[str, ArmNumbers]) -> dict[str, list[Row]]:
    """Summarize the arms; rows without any number are left out, and so are empty groups."""
    every = list(arms.values())
    summary = {}
    for group, told in wording.TEXTS["rows"].items():
        rows = [
            _row(group, label.replace("*", time), how.replace("*", time), every)
            for label, how in told.items()
            for time in (TIMES if "*" in label else ("",))
        ]
        summary[group] = [row for row in rows if set(row.cells) != {numbers.NONE}]
    summary["How the calls ended"] = _of_classes(every)
    return {group: rows for group, rows in summary.items() if rows}
