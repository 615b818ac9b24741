"""Promises 16 and 17: one exit code per outcome, and nothing passes by absence."""

import json
import socket
from dataclasses import dataclass

import pytest

from mcp_perf.load.targets import refusal
from mcp_perf.results.judge import order
from tests.support import ROOT
from tests.support.commands import CALM
from tests.support.waiting import free_port

SHORT = ("--set", "load.rounds=1", "--set", "load.round=300ms", "--set", "load.warmup=0s")
OK = "call: echo, arguments: {message: hi}"


@dataclass(frozen=True)
class Outcome:
    """A run that ends with a code: its call, the rest of its file, and its verdict."""

    code: int
    verdict: str | None
    call: str = OK
    more: str = ""
    options: tuple[str, ...] = ()


OUTCOMES = {
    "every gate holds": Outcome(0, "PASS", more="gates: [mcp.p50 < 9s]"),
    "a gate is open": Outcome(90, "INCONCLUSIVE", more="gates: [mcp.error_rate < 0.0001%]"),
    "calls that could not be made": Outcome(
        91,
        "INVALID",
        "call: echo, arguments: {message: x}, save: {all: structuredContent}}, "
        '{call: echo, arguments: {message: "${all}"}',
    ),
    "a gate fails": Outcome(99, "FAIL", more="gates: [mcp.p50 > 9s]"),
    "every call fails": Outcome(99, "FAIL", "call: fail, arguments: {message: boo}"),
    "a wrong file": Outcome(104, None, more="gates: [mcp.p59 < 9s]"),
    "arguments that the tool never takes": Outcome(
        104, None, "call: echo, arguments: {message: 5}"
    ),
    "a wrong setting": Outcome(104, None, options=("--set", "load.usres=5")),
    "a tool that is not there": Outcome(104, None, "call: ehco"),
    "a target that is not there": Outcome(108, None, options=("--target", "mcp=DEAD/mcp")),
}
ELSEWHERE = {
    92: ("test_several_processes.py", "test_promise_16_a_killed_process_makes_the_run_invalid"),
    105: ("test_cut_short.py", "test_promise_16_a_signal_ends_the_run_with_all_its_reports"),
    107: ("test_own_fault.py", "test_promise_16_a_fault_of_ours_before_the_first_call_is_107"),
}
"""Codes that need more than a file (a lost worker, a signal, our own bug), and the tests in
tests/system/runs that produce them."""


@pytest.fixture
def dead() -> str:
    """Return an address that nobody listens on."""
    return f"http://127.0.0.1:{free_port()}"


def test_promise_16_the_tables_have_every_code():
    """No outcome is left out: some run ends with each code of the verdicts and refusals."""
    codes = {value for name, value in vars(order).items() if name.endswith("_CODE")}
    codes |= {*order.CODES.values(), refusal.CONFIGURATION, refusal.UNREACHABLE}
    assert {outcome.code for outcome in OUTCOMES.values()} | ELSEWHERE.keys() == codes
    assert codes == {0, 90, 91, 92, 99, 104, 105, 107, 108}
    for code, (file, name) in ELSEWHERE.items():
        text = (ROOT / "tests" / "system" / "runs" / file).read_text("utf-8")
        assert str(code) in text.partition(f"def {name}(")[2].partition("\n\n\n")[0]


@pytest.mark.load
@pytest.mark.parametrize("tool", ["mcp-perf", "locust"])
@pytest.mark.parametrize("name", OUTCOMES)
def test_promise_16_each_outcome_has_its_code(
    name, tool, echo, case, dead, run_cli, report, tmp_path
):
    """With `mcp-perf run` and plain `locust` alike, and the report has the same code."""
    wanted, out = OUTCOMES[name], tmp_path / "run"
    options = [text.replace("DEAD", dead) for text in (*SHORT, *CALM, *wanted.options)]
    path = case(echo, wanted.call, wanted.more)
    if tool == "locust":
        argv = ("-f", ROOT / "locustfiles", "--headless", "--scenario", path)
    else:
        argv = ("run", path)
    ended = run_cli(*argv, *options, "--out", out, name=tool)
    assert ended.code == wanted.code, ended.output
    assert "Traceback" not in ended.output
    assert out.exists() is (wanted.verdict is not None)
    if wanted.verdict is not None:
        document = report(out)
        assert (document["verdict"], document["exit_code"]) == (wanted.verdict, wanted.code)
        assert document["reasons"]


BAD_GATES = {
    "an unknown metric": "mcp.p59 < 9s",
    "an unknown arm": "mpc.p50 < 9s",
    "no unit": "mcp.p50 < 9",
    "the wrong unit": "mcp.p50 < 9%",
    "no bound": "mcp.p50",
    "a comparison with itself": "mcp.p50 <= 2x mcp",
    "a comparison with nobody": "mcp.p50 <= 2x control",
    "an equality": "mcp.p50 == 9s",
    "nothing": "",
}


@pytest.fixture
def listener():
    """Listen, and count the connections."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


@pytest.mark.process
@pytest.mark.parametrize("name", BAD_GATES)
def test_promise_17_a_bad_gate_is_104_before_the_first_request(
    name, listener, case, run_cli, tmp_path
):
    """It is refused with its place and what to write; no connection and no folder is made."""
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    path = case(base, more=f"gates:\n  - {json.dumps(BAD_GATES[name])}\n")
    ended = run_cli("run", path, "--out", tmp_path / "run")
    assert ended.code == 104, ended.output
    assert "case.yaml:8" in ended.output
    assert "Traceback" not in ended.output
    assert not (tmp_path / "run").exists()
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.load
@pytest.mark.parametrize(
    ("call", "gates"),
    [
        ("wait: 50ms", ""),
        ("wait: 50ms", "gates: [mcp.error_rate <= 0%, mcp.p50 < 9s, mcp.max < 9s]"),
        ("call: sleep, arguments: {ms: 5000}", "gates: [mcp.error_rate <= 0%]"),
        (OK, "gates: [mcp.p99_9 < 9s]"),
    ],
    ids=["no calls", "no calls with gates", "no call ended", "no sample so far out"],
)
def test_promise_17_a_run_without_evidence_is_no_pass(
    call, gates, echo, case, run_cli, report, tmp_path
):
    """Real runs in which the gate's subject never happened end INCONCLUSIVE, and say so."""
    few = ("--set", "limits.drain=0s", "--set", "load.think=100ms", *CALM, *SHORT)
    ended = run_cli("run", case(echo, call, gates), *few, "--out", tmp_path / "run")
    document = report(tmp_path / "run")
    assert (ended.code, document["verdict"]) == (90, "INCONCLUSIVE"), ended.output
    assert document["reasons"]
