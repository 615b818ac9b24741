"""A second look at what the decoder refused: what can still be read, and why it was refused."""

import pytest

from mcp_perf.client.protocol.unreadable import read

HEAD = b'{"jsonrpc":"2.0","id":7,"result":'
BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (HEAD + b"{}}", ""),
        (BOM + HEAD + b"{}}", "it begins with a byte-order mark"),
        (HEAD + b'{"a":{"value":NaN}}}', "result.a.value: NaN is not a JSON number"),
        (HEAD + b'{"a":[1,-Infinity]}}', "result.a[1]: -Infinity is not a JSON number"),
        (HEAD + b'{"a":1e400}}', "result.a: Infinity is not a JSON number"),
        (HEAD + b'{"a":["\\ud83d"]}}', "result.a[0]: half of a surrogate pair is not text"),
        (HEAD + b'"\\ud83d\\ude00"}', ""),
    ],
)
def test_what_other_readers_take_is_read_and_its_fault_is_named(body, fault):
    """The message has the path of the value, so the tool's author finds it."""
    found = read(body)
    assert (found.fault, found.whole) == (fault, True)
    assert (found.message["jsonrpc"], found.message["id"]) == ("2.0", 7)


def test_the_first_three_faults_are_named():
    """A column of NaN need not fill the report."""
    assert read(b"[NaN,NaN,NaN,NaN]").fault.count("NaN is not a JSON number") == 3


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (HEAD + b'{"text":"half a te', "it is cut off after 51 bytes"),
        (HEAD, "it is cut off after 33 bytes"),
        (HEAD + b'{"isError":fal', "it is cut off after 47 bytes"),
        (HEAD + b'"\xff"}', "byte 34 (0xff) is not UTF-8"),
        (HEAD + b"<p>no</p>", "character 33 is not JSON: '<p>no</p>'"),
        (HEAD + b"[" * 90_000, "it is nested too deeply"),
    ],
)
@pytest.mark.parametrize("mark", [b"", BOM])
def test_what_breaks_off_still_tells_its_id_if_that_came_first(body, fault, mark):
    """So its call ends at once. What follows the fault is unknown."""
    found = read(mark + body)
    assert found.message == {"jsonrpc": "2.0", "id": 7}
    assert not found.whole
    assert mark or found.fault == fault


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Listening",
        b'{"level":30,"req":{"jsonrpc":"2.0","id":7',
        b'[12:00] {"jsonrpc":"2.0","id":7,"error":{}}',
        b'{"jsonrpc":"2.0","id":7',
        b'{"jsonrpc":"1.0","id":7,"result":',
        b'{"result":{},"jsonrpc":"2.0","id":7',
    ],
)
def test_no_id_is_read_from_what_need_not_be_an_answer(body):
    """A log line may quote a message, and a number may continue after the cut."""
    assert read(body).message == {}


def test_an_id_may_come_before_the_version():
    """JSON has no order of members."""
    assert read(b'{"id": 7, "jsonrpc": "2.0", "result": ').message["id"] == 7


@pytest.mark.parametrize("body", [b"[1]", b"7", b'"x"', b"null"])
def test_what_is_no_object_is_no_message(body):
    """It is still JSON."""
    assert read(body) == ({}, "", True)
