"""The journal: whole lines survive a crash and a full disk, secrets never get in."""

import errno
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from mcp_perf.results.journal import journal
from mcp_perf.results.journal.journal import JournalError, JournalWriter, read
from mcp_perf.results.journal.records import (
    FORMAT,
    AnyRecord,
    LookedReplies,
    Note,
    RunEnded,
    SampleRecord,
    Slice,
)
from mcp_perf.results.journal.redact import Redactor
from tests.support import virtual_run as virtual

SECRET = "canary-7f3a"


def note(text: str) -> Note:
    """Give a note."""
    return Note(at_s=1.0, code="session_lost", text=text)


def written(path: Path, records: list[AnyRecord]) -> Path:
    """Write a journal."""
    writer = JournalWriter(path)
    for record in records:
        writer.write(record)
    writer.close()
    return path


def test_every_kind_of_record_is_read_as_it_was_written(tmp_path):
    """A whole run comes back equal, in the same order."""
    sample = SampleRecord(
        turn=0,
        at_s=1.5,
        arm="mcp",
        journey="say",
        step="tools/call echo",
        cls="tool_error",
        latency_ns=5,
        service_ns=4,
        bytes_in=3,
        bytes_out=2,
        detail="no",
    )
    rounds = [virtual.Round()]
    records = virtual.journal({"mcp": rounds}, extra=[sample, note("x")])
    assert list(read(written(tmp_path / "journal.jsonl", records))) == records


def test_a_journal_is_never_written_over(tmp_path):
    """A second writer on the same path is refused: two runs never share a journal."""
    path = written(tmp_path / "journal.jsonl", [note("kept")])
    with pytest.raises(FileExistsError):
        JournalWriter(path)
    assert list(read(path)) == [note("kept")]


def test_flushed_records_survive_without_a_close(tmp_path):
    """After a flush the records can be read, whatever happens to the process."""
    writer = JournalWriter(tmp_path / "journal.jsonl")
    writer.write(note("flushed"))
    writer.flush()
    assert list(read(writer.path)) == [note("flushed")]
    writer.close()


def test_a_last_line_that_lacks_only_its_newline_counts(tmp_path):
    """The record is whole, so only the newline is lost."""
    path = written(tmp_path / "journal.jsonl", [note("one"), note("two")])
    path.write_bytes(path.read_bytes()[:-1])
    assert list(read(path)) == [note("one"), note("two")]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"type": "note", "at_s"', "record of a run"),
        ('{"type": "phase", "at_s": 1}', "type 'phase', perhaps written by a newer mcp-perf"),
        ('{"at_s": 1}', "type None"),
        ("[1]", "type None"),
        ('{"type": "note", "at_s": "x"}', "record 'note' is invalid"),
    ],
)
def test_a_line_in_the_middle_that_is_not_a_record_is_named(tmp_path, line, says):
    """Damage, and records of a future version, are reported with file, line and what is wrong."""
    path = written(tmp_path / "journal.jsonl", [note("one")])
    path.write_bytes(path.read_bytes() + line.encode() + b"\n" + path.read_bytes())
    with pytest.raises(JournalError, match="line 2: ") as caught:
        list(read(path))
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_another_format_is_refused_by_name(tmp_path):
    """A journal of an unknown format is not half understood."""
    records = [virtual.started(format="mcp-perf/journal/9")]
    path = written(tmp_path / "journal.jsonl", records)
    with pytest.raises(JournalError, match=f"journal/9, but this mcp-perf reads {FORMAT}"):
        list(read(path))


def test_a_line_without_end_is_not_read_to_its_end(tmp_path, monkeypatch):
    """Memory is bounded, whatever the file holds."""
    monkeypatch.setattr(journal, "LONGEST_LINE", 1000)
    path = written(tmp_path / "journal.jsonl", [note("one"), note("x" * 1000)])
    with pytest.raises(JournalError, match="line 2 is longer than any line"):
        list(read(path))


FULL_DISK = """
import resource, sys
from pathlib import Path
from mcp_perf.results.journal.journal import JournalWriter
from mcp_perf.results.journal.records import Note
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
writer = JournalWriter(Path(sys.argv[1]))
kept = 0
try:
    for i in range(100):
        writer.write(Note(at_s=i, code="x", text="t" * 50))
        writer.flush()
        kept += 1
except OSError as error:
    print(kept, error.errno, error)
try:
    writer.write(Note(at_s=0, code="x", text="after"))
except OSError as error:
    print("refused", error.errno)
writer.close()
"""


@pytest.mark.process
def test_promise_21_a_full_disk_leaves_the_earlier_records_whole(tmp_path):
    """The error names the journal, later writes are refused, and earlier records can be read."""
    path = tmp_path / "journal.jsonl"
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True
    )
    first, second = run.stdout.splitlines()
    kept, code, message = first.split(" ", 2)
    assert int(code) == errno.EFBIG
    assert str(path) in message
    assert "ends with what was written before" in message
    assert second == f"refused {errno.EFBIG}"
    assert [record.at_s for record in read(path)] == list(range(int(kept)))


class Disk(io.RawIOBase):
    """A disk that may run out of room, and get room again."""

    full = False

    def __init__(self):
        self.content = b""

    def writable(self):
        """Say that it can be written to, because io asks."""
        return True

    def write(self, data):
        """Keep the bytes, or fail like a full disk."""
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.content += bytes(data)
        return len(data)


def test_a_disk_that_is_full_for_a_moment_leaves_no_gap(tmp_path):
    """After the first failure nothing more is appended: a journal may end early, without a gap."""
    disk = Disk()
    writer = JournalWriter(tmp_path / "journal.jsonl")
    writer._file.close()
    writer._file = io.BufferedWriter(disk)
    writer.write(note("before"))
    writer.flush()
    disk.full = True
    writer.write(note("lost"))
    with pytest.raises(OSError, match="No space left"):
        writer.flush()
    disk.full = False
    for late in (lambda: writer.write(note("after")), writer.flush):
        with pytest.raises(OSError, match="No space left"):
            late()
    writer.close()
    texts = [json.loads(line)["text"] for line in disk.content.splitlines()]
    assert texts == ["before", "lost"]


def test_closing_on_a_full_disk_says_so_and_closes(tmp_path):
    """If there is no room for the last records, close raises, but leaves no open file."""
    disk = Disk()
    writer = JournalWriter(tmp_path / "journal.jsonl")
    writer._file.close()
    writer._file = io.BufferedWriter(disk)
    writer.write(note("lost"))
    disk.full = True
    with pytest.raises(OSError, match="No space left"):
        writer.close()
    assert writer._file.closed


def everything_with(secret: str) -> list[AnyRecord]:
    """Give records that have a secret in every text that a target or a user wrote."""
    arms = {"mcp": {"target": f"http://host/?x={secret}", "protocol": "", "headers": [secret]}}
    started = virtual.started(
        title=secret,
        scenario_text=f"headers: {secret}",
        gates=[],
        load={"note": secret},
        environment={"argv": ["-H", secret]},
    )
    turn = virtual.turn(0, "mcp", 1, virtual.Round())
    says = {f"401: {secret} is wrong": 1, f"{secret}?": 2}
    named = virtual.cell("mcp", [1.0], name=f"GET /{secret}", messages=says)
    slices = [
        replace(record, cells=[*record.cells, named]) if isinstance(record, Slice) else record
        for record in turn
    ]
    sample = SampleRecord(
        turn=0,
        at_s=1,
        arm="mcp",
        journey="say",
        step=f"GET /{secret}",
        cls="http_error",
        latency_ns=1,
        service_ns=1,
        bytes_in=1,
        bytes_out=1,
        detail=f"401: {secret} is wrong",
        reply=f'{{"who": "{secret}"}}',
    )
    seen = LookedReplies(
        turn=0, arm="mcp", step=f"GET /{secret}", looked=1, like_errors=1, example=f"Error {secret}"
    )
    return [
        replace(started, arms=arms),
        *slices,
        sample,
        seen,
        note(f"lost {secret}"),
        RunEnded(at_s=1, reason="finished"),
    ]


def test_promise_24_no_secret_passes_the_journal(tmp_path):
    """A canary in every text of every record is nowhere in the file; everything else is."""
    writer = JournalWriter(tmp_path / "journal.jsonl", Redactor([SECRET]))
    records = everything_with(SECRET)
    for record in records:
        writer.write(record)
    writer.close()
    content = writer.path.read_text()
    assert SECRET not in content
    assert content.count("[redacted]") == 15
    assert list(read(writer.path)) == everything_with("[redacted]")


def test_messages_that_differ_in_a_secret_only_are_added_up(tmp_path):
    """No call is lost from the count of what failed."""
    writer = JournalWriter(tmp_path / "journal.jsonl", Redactor(["secret-one", "secret-two"]))
    rest = virtual.turn(0, "mcp", 1, virtual.Round())
    says = {"no secret-one": 3, "no secret-two": 4}
    part = next(record for record in rest if isinstance(record, Slice))
    writer.write(replace(part, cells=[virtual.cell("mcp", [1.0] * 7, messages=says)]))
    writer.close()
    [written] = read(writer.path)
    assert written.cells[0].messages == {"no [redacted]": 7}


def test_without_a_redactor_records_are_written_as_they_are(tmp_path):
    """The writer alone does not change anything."""
    records = everything_with(SECRET)
    assert list(read(written(tmp_path / "journal.jsonl", records))) == records
