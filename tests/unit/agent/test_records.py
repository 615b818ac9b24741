"""Records of agents: present ones are exact, and older shapes are understood."""

import json

import pytest

from mcp_perf.agent.records import (
    RECORD_KEYS,
    SUMMARY_KEYS,
    Unreadable,
    as_record,
    as_row,
    encode,
    read,
)

RECORD = {
    "mode": "control",
    "taskNumber": 1,
    "directoryId": "1743100000000",
    "model": "claude-3.7-sonnet",
    "startTime": 1743100000000,
    "completed": True,
    "apiCalls": 8,
    "interactions": 1,
    "tokensIn": 91,
    "tokensOut": 2303,
    "totalTokens": 2394,
    "cacheWrites": 25000,
    "cacheReads": 350000,
    "conversationHistoryIndex": 11,
    "cost": 0.233,
    "success": True,
    "endTime": 1743100062545,
    "duration": 62545,
}
ROW = {
    "taskId": 1,
    "directoryId": "1743100000000",
    "mode": "mcp",
    "model": "claude-3.7-sonnet",
    "mcpServer": "Twilio",
    "mcpClient": "Cline",
    "startTime": 1743100000000,
    "endTime": 1743100062545,
    "duration": 62545,
    "apiCalls": 8,
    "interactions": 1,
    "tokensIn": 91,
    "tokensOut": 2303,
    "totalTokens": 2394,
    "cacheWrites": 25000,
    "cacheReads": 350000,
    "conversationHistoryIndex": 11,
    "cost": 0.233,
    "success": False,
    "notes": "wrong queue",
}


def test_a_record_and_a_row_have_their_keys_in_the_published_order():
    """A task's record has 18 keys, and a summary's row has 20."""
    assert list(RECORD) == list(RECORD_KEYS)
    assert list(ROW) == list(SUMMARY_KEYS)
    assert (len(RECORD_KEYS), len(SUMMARY_KEYS)) == (18, 20)


@pytest.mark.parametrize(("raw", "write"), [(RECORD, as_record), (ROW, as_row)])
def test_what_was_read_is_written_to_the_byte(raw, write):
    """Nothing is changed, and no change is reported."""
    record, changes = read(json.loads(json.dumps(raw)))
    assert changes == []
    assert encode(write(record)) == json.dumps(raw, indent=2) + "\n"


def test_a_row_and_the_record_of_the_same_run_are_the_same_run():
    """Only the keys that rows alone have differ."""
    row = as_row(read(RECORD).record)
    assert row == ROW | {
        "mode": "control",
        "mcpServer": "",
        "mcpClient": "",
        "notes": "",
        "success": True,
    }


@pytest.mark.parametrize(
    ("given", "key", "known"),
    [
        ({"duration": 62.545}, "duration", 62545),
        ({"duration": 63, "startTime": 1743100000, "endTime": 1743100063}, "duration", 63000),
        ({"startTime": 1743100000, "endTime": 1743100062.545}, "endTime", 1743100062545),
        ({"startTime": "1743100000"}, "startTime", 1743100000000),
        ({"startTime": "2025-03-27T18:26:40.250Z"}, "startTime", 1743100000250),
        ({"startTime": "2025-03-27 20:26+02:00"}, "startTime", 1743099960000),
        ({"startTime": 0}, "startTime", 0),
        ({"duration": 40, "startTime": None, "endTime": None}, "duration", 40000),
        ({"duration": 1200, "startTime": 1743100000, "endTime": None}, "duration", 1200000),
        ({"duration": 1200, "startTime": 1743100000000, "endTime": None}, "duration", 1200),
        ({"duration": 3000, "endTime": 1743103600000}, "duration", 3000),
        ({"duration": 45, "endTime": 1743100000045}, "duration", 45),
        ({"duration": None}, "duration", 62545),
        ({"duration": None, "endTime": 0}, "duration", None),
        ({"endTime": 1743099999000}, "duration", 62545),
        ({"endTime": 0}, "endTime", 0),
        ({"apiCalls": [{"endpoint": "a"}, {"endpoint": "b"}]}, "apiCalls", 2),
        ({"interactions": []}, "interactions", 0),
        ({"apiCalls": " 8 "}, "apiCalls", 8),
        ({"tokensIn": "2,303"}, "tokensIn", 2303),
        ({"cost": "$0.25"}, "cost", 0.25),
        ({"cost": ""}, "cost", None),
        ({"cost": None}, "cost", None),
        ({"totalTokens": None}, "totalTokens", 2394),
        ({"success": "true"}, "success", True),
        ({"success": " Failed"}, "success", False),
        ({"success": 1}, "success", True),
        ({"success": 0.0}, "success", False),
        ({"success": None}, "success", None),
        ({"mode": " MCP"}, "mode", "mcp"),
        ({"taskNumber": "Task 2"}, "taskNumber", 2),
        ({"taskNumber": "3"}, "taskNumber", 3),
        ({"taskNumber": 3.0}, "taskNumber", 3),
        ({"taskNumber": None, "taskId": 2}, "taskNumber", 2),
        ({"directoryId": 7}, "directoryId", 7),
        ({"conversationHistoryIndex": -1}, "conversationHistoryIndex", -1),
        ({"conversationHistoryIndex": "4"}, "conversationHistoryIndex", 4),
        ({"completed": "no"}, "completed", False),
    ],
)
def test_older_shapes_are_read_as_what_they_mean(given, key, known):
    """They have seconds for milliseconds, lists for counts, texts for numbers and booleans."""
    found = as_record(read(RECORD | given).record)[key]
    assert (found, type(found)) == (known, type(known))


def test_whatever_was_changed_is_told():
    """Each change has its key, with the original value."""
    raw = RECORD | {"apiCalls": [1, 2], "duration": 62.5, "endTime": 1743100062500, "extra": 1}
    assert read(raw).changes == [
        "apiCalls: a list is read as 2",
        "ignored, because records do not have these keys: extra",
        "duration: 62.5 s is read as 62500 ms",
    ]


def test_an_older_record_with_few_keys_is_read_by_the_name_of_its_file():
    """A value that nobody recorded is None, and not zero."""
    record, changes = read({"startTime": 1743100000, "success": "yes"}, "mcp_task2_abc_1.json")
    assert (record.mode, record.task_id, record.directory_id) == ("mcp", 2, "abc_1")
    assert (record.api_calls, record.cost, record.completed) == (None, None, False)
    assert len(changes) == 5


def test_notes_of_any_kind_are_text():
    """They may be a list of remarks, or a number."""
    assert read(ROW | {"notes": ["a", "b"]}).record.notes == "a; b"
    assert read(ROW | {"notes": 5}).record.notes == "5"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ([], "not a JSON object"),
        ({"name": "package"}, "not a record of a task"),
        (RECORD | {"mode": "both"}, "mode 'both' is not a mode"),
        (RECORD | {"mode": None}, "mode is missing"),
        (RECORD | {"taskNumber": None}, "task is missing"),
        (RECORD | {"taskNumber": "two"}, "task 'two' is not a number"),
        (RECORD | {"taskNumber": True}, "task True is not a number"),
        (RECORD | {"directoryId": ["a"]}, "directoryId"),
        (RECORD | {"cost": float("nan")}, "cost: nan is out of range"),
        (RECORD | {"cost": "inf"}, "cost: 'inf'"),
        (RECORD | {"cost": "much"}, "cost: could not convert"),
        (RECORD | {"apiCalls": -1}, "apiCalls: -1"),
        (RECORD | {"apiCalls": True}, "apiCalls: True"),
        (RECORD | {"tokensIn": [1]}, "tokensIn: [1]"),
        (RECORD | {"cacheReads": 10**400}, "cacheReads: 1000"),
        (RECORD | {"success": "perhaps"}, "success: 'perhaps'"),
        (RECORD | {"success": []}, "success: []"),
        (RECORD | {"model": {}}, "model: {} is not a text"),
        (RECORD | {"startTime": "yesterday"}, "startTime: 'yesterday' is not a time"),
        (RECORD | {"startTime": "2025-03-28"}, "startTime: '2025-03-28' is not a time"),
        (RECORD | {"startTime": "2025-02-30T10:00Z"}, "'2025-02-30T10:00Z' is not a time"),
        (RECORD | {"startTime": "2025-02-28T25:00Z"}, "'2025-02-28T25:00Z' is not a time"),
        (RECORD | {"startTime": [1]}, "startTime: [1]"),
        (RECORD | {"startTime": "9999-12-31T23:59-23:00"}, "is not a time from 1970 to 9999"),
        (RECORD | {"endTime": "0001-01-01T00:00Z"}, "is not a time from 1970 to 9999"),
        (RECORD | {"startTime": 1743100000000000}, "startTime: 1743100000000000 is not a time"),
        (RECORD | {"endTime": 1743099999000, "duration": None}, "ends before it starts"),
    ],
)
def test_what_cannot_be_understood_is_no_record_and_says_why(raw, why):
    """Half a record would change a mean."""
    with pytest.raises(Unreadable, match=why.replace("[", r"\[").replace("(", r"\(")):
        read(raw)


def test_the_name_of_a_file_leads_nowhere_else():
    """Anybody may choose an id."""
    assert read(RECORD | {"directoryId": "../../x y"}).record.file == "control_task1_.._.._x_y.json"
