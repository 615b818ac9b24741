"""The log of a run: its two files, as text or as JSON, without secrets."""

import json
import logging

import pytest

from mcp_perf.load.hub.logs import RunLogs, guard
from mcp_perf.load.hub.redaction import redactor

LOGGER = logging.getLogger("mcp-perf")


@pytest.fixture
def logged(tmp_path, monkeypatch, caplog):
    """Return a function that logs a line, an error and a fault in a folder and reads the files."""
    caplog.set_level(logging.DEBUG, LOGGER.name)
    monkeypatch.setattr(redactor, "_secrets", set(), raising=False)

    def log(*, errors=True):
        logs = RunLogs(tmp_path)
        LOGGER.info("Authorization: Bearer %s", "x" * 30, extra={"code": "passed", "calls": 3})
        if errors:
            LOGGER.error("sk-%s \x1b[31mbroke", "a" * 30)
            try:
                {}["password=hunter22"]
            except KeyError:
                LOGGER.exception("a fault")
        logs.close()
        LOGGER.error("after the run")
        return {path.name: path.read_text("utf-8") for path in tmp_path.iterdir()}

    return log


def test_errors_have_a_file_of_their_own_once_there_is_one(logged):
    """The other file has all lines, including the errors."""
    assert logged(errors=False).keys() == {"run.log"}
    files = logged()
    assert "INFO mcp-perf: Authorization: [redacted]" in files["run.log"]
    assert "INFO" not in files["errors.log"]
    for text in files.values():
        assert "ERROR mcp-perf: [redacted] \\x1b[31mbroke\n" in text
        assert "Traceback" in text
        assert "after" not in text
        assert "hunter22" not in text


def test_as_json_each_line_is_an_object_with_its_fields(logged, monkeypatch):
    """Each field is redacted separately, so the line is still JSON."""
    monkeypatch.setenv("MCP_PERF_LOG_FORMAT", "json")
    files = logged()
    first, second, third = map(json.loads, files["run.log"].splitlines())
    timestamp = first.pop("timestamp")
    assert first == {
        "event": "Authorization: [redacted]",
        "level": "info",
        "logger": "mcp-perf",
        "code": "passed",
        "calls": 3,
    }
    assert timestamp.endswith("Z")
    assert second["event"] == "[redacted] \\x1b[31mbroke"
    assert "Traceback" in third["exception"]
    assert "hunter22" not in files["run.log"]
    assert len(files["errors.log"].splitlines()) == 2


def test_a_full_disk_does_not_end_the_run(tmp_path, capsys):
    """What cannot be written is lost, without a traceback for each line or at the end."""
    for name in ("run.log", "errors.log"):
        (tmp_path / name).symlink_to("/dev/full")
    logs = RunLogs(tmp_path)
    LOGGER.error("The journal can no longer be written")
    logs.close()
    assert capsys.readouterr().err == ""


def test_any_other_handler_looks_the_same(monkeypatch):
    """The terminal's handler and Locust's handlers do, too."""
    monkeypatch.setenv("MCP_PERF_LOG_FORMAT", "json")
    handler = logging.StreamHandler()
    guard(handler)
    guard(handler)
    record = logging.LogRecord("locust", logging.WARNING, "f", 1, "late %s", ("x",), None)
    assert json.loads(handler.format(record))["event"] == "late x"
