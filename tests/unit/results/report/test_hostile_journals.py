"""Journals that others wrote: whatever they say, they make a report, or an error in words."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_perf.results.journal.journal import JournalError
from mcp_perf.results.report.build import JOURNAL, load_report
from tests.support import ROOT

JOURNALS = sorted((ROOT / "tests/goldens/journals").glob("*.jsonl"))
VALUES = (None, True, -1, 0, 10**18, 1e308, 0.5, "", "mcp", "\x1b[2J", [], {}, [1], {"a": 1})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths to all that is in a value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, key))


def twist(records: list[Any], rng: random.Random) -> None:
    """Leave a record out, repeat one, mix all, or write something else into one."""
    how = rng.choice(["drop", "repeat", "mix", "write", "write", "write"])
    record = rng.choice(records)
    if how == "drop":
        records.remove(record)
    elif how == "repeat":
        records.insert(rng.randrange(len(records)), record)
    elif how == "mix":
        rng.shuffle(records)
    else:
        *path, last = rng.choice(list(places(record)))
        for key in path:
            record = record[key]
        record[last] = rng.choice(VALUES)


@given(st.integers())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_promise_24_no_journal_breaks_its_reader(tmp_path: Path, seed: int):
    """It does not take long: each is read, or refused with its path."""
    rng = random.Random(seed)
    lines = rng.choice(JOURNALS).read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines if line.endswith("}")]
    for _ in range(rng.choice([1, 1, 3])):
        twist(records, rng)
    (tmp_path / JOURNAL).write_text("".join(f"{json.dumps(record)}\n" for record in records))
    try:
        report, _ = load_report(tmp_path)
    except JournalError as error:
        assert str(error)  # noqa: PT017 -- either is fine
    else:
        assert "\\u001b" not in report.as_json()


@pytest.mark.parametrize("record", [{"type": ["x"]}, {"type": {}}, {"type": 1}, {}, []])
def test_a_record_of_no_type_is_told_by_its_line(tmp_path: Path, record):
    """Like a record of a newer version."""
    (tmp_path / JOURNAL).write_text(f"{json.dumps(record)}\n")
    with pytest.raises(JournalError, match="line 1"):
        load_report(tmp_path)
