"""A journal that grows: each record is read once, and a run that was killed is over."""

import subprocess
import sys
from subprocess import PIPE

import pytest

from mcp_perf.results.journal.follow import JournalFollower
from mcp_perf.results.journal.journal import JournalError, JournalWriter
from mcp_perf.results.journal.lock import is_held
from mcp_perf.results.journal.records import RunEnded
from tests.support import virtual_run as virtual

WRITES = """
import sys
from pathlib import Path
from mcp_perf.results.journal.journal import JournalWriter
writer = JournalWriter(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""


def test_each_record_is_read_once_and_none_in_halves(tmp_path):
    """However the bytes arrive, the records come whole, in order, and once."""
    records = virtual.journal({"mcp": [virtual.Round()]})
    whole = tmp_path / "whole.jsonl"
    writer = JournalWriter(whole)
    for record in records:
        writer.write(record)
    writer.close()
    written, growing = whole.read_bytes(), tmp_path / "growing.jsonl"
    growing.touch()
    follower, found = JournalFollower(growing), []
    assert follower.more() == []
    with growing.open("ab", buffering=0) as file:
        for start in range(0, len(written), 97):
            file.write(written[start : start + 97])
            found += follower.more()
    assert found == records
    assert follower.more() == []


@pytest.mark.parametrize("line", [b"nonsense\n", b'{"type":"end"}\n'])
def test_a_line_that_is_not_a_record_is_named(tmp_path, line):
    """A line that is not a record is an error that names it."""
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"type":"end","at_s":1.0,"reason":"finished"}\n' + line)
    with pytest.raises(JournalError, match="line 2"):
        JournalFollower(path).more()


def test_a_journal_that_is_deleted_is_an_error(tmp_path):
    """Its folder may be removed while it is followed."""
    with pytest.raises(JournalError, match="cannot be read"):
        JournalFollower(tmp_path / "gone.jsonl").more()


def test_a_journal_is_held_until_it_is_closed(tmp_path):
    """A run is active as long as it has its journal open; without a file there is no run."""
    path = tmp_path / "journal.jsonl"
    assert not is_held(path)
    writer = JournalWriter(path)
    assert is_held(path)
    writer.write(RunEnded(at_s=1.0, reason="finished"))
    writer.close()
    assert not is_held(path)


@pytest.mark.process
def test_a_killed_process_holds_nothing(tmp_path):
    """After a crash, no run seems to be active."""
    path = tmp_path / "journal.jsonl"
    command = [sys.executable, "-c", WRITES, str(path)]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE) as process:
        process.stdout.readline()
        held = is_held(path)
        process.kill()
    assert held
    assert not is_held(path)
