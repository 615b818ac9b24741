"""Which results that say isError: false look like failures, and which do not."""

import pytest

from mcp_perf.load.replies.suspicion import says_failed, suspicion, text_failed


@pytest.mark.parametrize(
    "text",
    [
        "Error searching libraries: TypeError: fetch failed",
        "Error executing command: 429 Too Many Requests",
        "ERROR: connection refused",
        "error",
        "Error 500",
        "An error occurred while reading the file",
        "An unexpected error has occurred",
        "There was an error with the request",
        "MCP error -32603: Internal error",
        "Internal server error",
        "TypeError: fetch failed",
        "requests.exceptions.ConnectionError: timeout",
        "Exception: out of range",
        "Traceback (most recent call last):\n  File",
        "Failed to fetch",
        "Failed: no such issue",
        "❌ Failed to fetch",
        "❌ nothing was done",
        "⛔ stop",
        "Request failed with status code 429",
        "The operation failed: disk full",
        "Unable to connect to the database",
        "Could not find repository",
        "Cannot read properties of undefined",
        "Can't open file",
        "Sorry, I couldn't find anything",
        "Sorry, but an error occurred",
        "Something went wrong",
        "Access denied",
        "Unauthorized",
        "Not authorised for this",
        "403 Forbidden",
        "HTTP 503: try again",
        "HTTP/1.1 502 Bad Gateway",
        "Status code: 404",
        "Too many requests, slow down",
        "Rate limit exceeded",
        "Invalid API key provided",
        "Invalid arguments for tool",
        "The request timed out",
        "Timed out after 30 s",
        "**Error**: no access",
        '{"error": "no such user"}',
        '{"status": "error", "data": null}',
        '{"success": false}',
        ' {"errors": [{"message": "x"}]}',
    ],
)
def test_texts_that_look_like_errors(text):
    """Tools of real servers describe errors like this, and call them results."""
    assert text_failed(text)
    assert suspicion({"content": [{"type": "text", "text": text}]}) == "error"


@pytest.mark.parametrize(
    "text",
    [
        "Found 3 issues.",
        "Echo: hello",
        "No errors were found.",
        "Errors: 0",
        "error: null",
        "Error rate: 0.3 %",
        "Error codes of the API: 400, 404",
        "Error logs since yesterday",
        "Failed: 0, passed: 12",
        "Failed tests: none",
        "Exceptions: 0",
        "The failed login of Monday was looked at.",
        "Failover is on.",
        "No results found",
        "500 items in stock",
        "404 Main Street",
        "Timeouts are set to 30 s.",
        "In case of an error: call us",
        "Canada",
        "cantaloupe",
        '{"error": null, "items": []}',
        '{"status": "ok"}',
        '{"errors": []}',
        '{"success": true}',
        "{not json",
        "",
    ],
)
def test_texts_that_do_not_look_like_errors(text):
    """They mention errors, but report none."""
    assert not text_failed(text)


@pytest.mark.parametrize(
    ("told", "failed"),
    [
        ({"status": "error"}, True),
        ({"status": "FAILED"}, True),
        ({"status": 500}, False),
        ({"ok": False}, True),
        ({"isError": True}, True),
        ({"error": {"code": 1}}, True),
        ({"error": False}, False),
        ({"errors": 0}, False),
        ({"value": "error"}, False),
        ({}, False),
    ],
)
def test_objects_say_it_by_their_members(told, failed):
    """APIs give these names to it."""
    assert says_failed(told) is failed
    assert (suspicion({"structuredContent": told, "content": [{"text": "done"}]}) == "error") is (
        failed
    )


def text(*words):
    """Return a content of texts."""
    return [{"type": "text", "text": word} for word in words]


@pytest.mark.parametrize(
    ("result", "found"),
    [
        ({}, "empty"),
        ({"content": []}, "empty"),
        ({"content": text("")}, "empty"),
        ({"content": text(" \n", "")}, "empty"),
        ({"content": text("null")}, "empty"),
        ({"content": text("[]")}, "empty"),
        ({"content": [], "structuredContent": {}}, "empty"),
        ({"content": text("[]"), "structuredContent": {"result": []}}, "empty"),
        ({"content": text("0")}, ""),
        ({"content": text("", "x")}, ""),
        ({"content": [{"type": "image", "data": "…"}]}, ""),
        ({"content": [], "structuredContent": {"n": 0}}, ""),
        ({"content": [], "structuredContent": {"result": 0}}, ""),
        ({"content": text("ok"), "structuredContent": None}, ""),
        ({"content": ["odd"]}, "empty"),
        ({"content": "odd"}, "empty"),
    ],
)
def test_results_that_are_empty(result, found):
    """They have neither words nor an image nor a structure, so they are of no use."""
    assert suspicion(result) == found


def test_a_long_text_costs_no_more_than_its_beginning():
    """An error far down in a text is part of an answer."""
    assert not text_failed("x" * 10_000 + " Error: no")
    assert not text_failed("word " * 100_000)


def test_a_text_that_is_nested_without_end_says_nothing():
    """It is not readable as JSON, so the call keeps its class."""
    assert not text_failed('{"a":' * 100_000)
