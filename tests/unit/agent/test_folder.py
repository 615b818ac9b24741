"""A folder of records: each run counts once, and nothing is dropped silently."""

import json

import pytest

from mcp_perf.agent.folder import read_folder
from mcp_perf.agent.records import as_row, encode, read

ROW = {"taskId": 1, "mode": "mcp", "startTime": 1743100000000, "endTime": 1743100062545}
RECORD = {"taskNumber": 1, "mode": "mcp", "startTime": 1743100000000, "endTime": 1743100062545}

SHORT, LONG = {"duration": 9000}, {"duration": 62545}


@pytest.fixture
def folder(tmp_path):
    """Return a function that writes a folder of files, and reads it."""

    def made(**files):
        for name, value in files.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(exist_ok=True)
            raw = value if isinstance(value, bytes) else json.dumps(value).encode()
            path.with_name(f"{path.name}.json").write_bytes(raw)
        return read_folder(tmp_path)

    return made


def test_the_rows_of_a_summary_and_the_records_in_files_are_read(folder):
    """They are read in all folders below, each with its place."""
    found = folder(
        summary=[ROW | {"directoryId": "a"}, ROW | {"directoryId": "b"}],
        tasks__control_task2_c={"startTime": 1743100000000, "endTime": 1743100001000},
    )
    assert [one.where for one in found.found] == [
        "summary.json, row 1",
        "summary.json, row 2",
        "tasks/control_task2_c.json",
    ]
    assert [record.directory_id for record in found.records] == ["a", "b", "c"]
    assert found.unread == []


def test_a_run_that_stands_in_the_summary_and_in_a_file_counts_once(folder):
    """The summary's row counts; a remark names the differences of the file."""
    found = folder(
        summary=[ROW | {"directoryId": "a", "apiCalls": 8}, ROW | {"directoryId": "b"}],
        mcp_task1_a=RECORD | {"directoryId": "a", "apiCalls": 9, "startTime": 1743100000},
        mcp_task1_b=RECORD | {"directoryId": "b"},
        mcp_task1_later=RECORD | {"directoryId": "b", "startTime": 1743100030000} | SHORT,
        mcp_task1_moved=RECORD | {"directoryId": "b", "startTime": 1743100005000} | LONG,
        mcp_task1_model=RECORD | {"directoryId": "b", "model": "m"},
    )
    assert [one.record.api_calls for one in found.found] == [8, None, None]
    told = [line for line in found.remarks if "is the same record as" in line]
    assert told[0] == (
        "mcp_task1_a.json is the same record as summary.json, row 1, which "
        "is counted; they differ in apiCalls"
    )
    assert len(told) == 4
    assert [line for line in found.remarks if "both count" in line] == [
        "mcp_task1_later.json has the same id as summary.json, row 2; both count",
    ]


def test_records_of_two_models_are_two_runs_whatever_their_ids(folder):
    """Two folders may have the same names in them."""
    one = RECORD | {"directoryId": "1", "startTime": None, "endTime": None, "duration": 5000}
    found = folder(a__mcp_task1_1=one | {"model": "m"}, b__mcp_task1_1=one | {"model": "n"})
    assert len(found.records) == 2


def test_records_without_a_start_are_one_run_only_if_they_agree(folder):
    """Nothing else distinguishes them."""
    one = RECORD | {"directoryId": "1", "startTime": None, "endTime": None, "duration": 5000}
    assert len(folder(a__x=one, b__x=one).records) == 1
    assert len(folder(a__x=one, b__x=one | {"duration": 6000}).records) == 2


def test_equal_rows_of_one_summary_both_count_and_are_named(folder):
    """A published mean is over all rows; rows without an id are never taken for one run."""
    found = folder(summary=[ROW | {"directoryId": "a"}] * 2, other=[ROW], third=[ROW])
    assert len(found.records) == 4
    assert [line for line in found.remarks if "both count" in line] == [
        "summary.json, row 2 is the same as summary.json, row 1; both count",
    ]


def test_what_cannot_be_read_is_listed_with_the_reason(folder):
    """That is a broken file, a row that is not a record, and a file of something else."""
    found = folder(
        broken=b'{"mode": ',
        foreign={"name": "package"},
        summary=[ROW | {"directoryId": "a"}, None, ROW | {"cost": float("nan")}],
        deep=b"[" * 100_000,
        latin='{"mode": "mcp", "notes": "caf\xe9"}'.encode("latin-1"),
    )
    assert len(found.records) == 1
    assert [line.partition(":")[0] for line in found.unread] == [
        "broken.json",
        "deep.json",
        "foreign.json",
        "latin.json",
        "summary.json, row 2",
        "summary.json, row 3",
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_the_encoding_of_a_file_does_not_matter(encoding, folder):
    """A byte-order mark does not matter either."""
    [record] = folder(a=json.dumps(ROW | {"notes": "caf\xe9"}).encode(encoding)).records
    assert record.notes == "caf\xe9"


def test_one_file_is_read_as_a_folder_of_one(tmp_path):
    """It may be a summary alone, for example."""
    path = tmp_path / "summary.json"
    path.write_text(encode([as_row(read(ROW | {"directoryId": "a"}).record)]))
    assert [one.where for one in read_folder(path).found] == ["summary.json, row 1"]
    with pytest.raises(FileNotFoundError):
        read_folder(tmp_path / "nothing")


def test_a_record_without_a_cost_gets_it_from_the_price_list(folder):
    """Its model must have a list."""
    used = {"tokensIn": 1_000_000, "tokensOut": 0, "model": "claude-3.7-sonnet"}
    rows = [used, used | {"cost": 1}, used | {"model": "unknown"}]
    found = folder(summary=[ROW | {"directoryId": str(i)} | row for i, row in enumerate(rows)])
    assert [record.cost for record in found.records] == [3.0, 1, None]
