"""The command `mcp-perf`, as a user types it."""

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from mcp_perf import load
from mcp_perf.cli.main import main
from mcp_perf.cli.refused import FORMATS
from tests.support import ROOT

HEAVY = ("locust", "gevent", "pydantic", "structlog", "mcp_targets", "jinja2")
HEAVY += ("mcp_perf.results",)
COMMANDS = (
    *("run", "web", "check", "init", "validate", "list", "systems", "report", "doctor"),
    *("compare", "baseline", "trend", "dashboard", "agent", "schema"),
)

IMPORTED = f"""
import sys
from mcp_perf.cli.main import main
try:
    main(sys.argv[1:], prog_name="mcp-perf")
except SystemExit:
    pass
loaded = [name for name in {HEAVY} if name in sys.modules]
sys.stderr.write(",".join(loaded))
"""


@pytest.fixture
def ask():
    """Return what runs a command in this process: nothing but `run` loads Locust."""
    return lambda *arguments: CliRunner().invoke(main, arguments, prog_name="mcp-perf")


@pytest.mark.process
@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"], ["nonsense"]])
def test_help_answers_in_a_blink(arguments):
    """Nothing heavy is imported before it is needed."""
    asked = subprocess.run(
        [sys.executable, "-c", IMPORTED, *arguments],
        check=False, capture_output=True, text=True, cwd=ROOT, timeout=300,
    )  # fmt: skip
    assert asked.stderr.splitlines()[-1:] in ([], ["Error: No such command 'nonsense'."])
    assert asked.returncode == 0


def test_a_run_that_is_stopped_is_not_repeated(ask, monkeypatch):
    """Ctrl-C ends all of it, and the gravest exit code is that of the command."""
    said, codes = [], iter((99, 105, 0))
    monkeypatch.setattr(sys, "argv", ["mcp-perf", "run", "--repeat", "3", "--", "server"])
    monkeypatch.setattr(
        "mcp_perf.cli.run.again",
        lambda words, _stdout: said.append(words) or (next(codes), b""),
    )
    ended = ask("run", "echo", "--repeat", "3", "--out", "o")
    assert ended.exit_code == 105
    more = ["--repeat", "1", "--out"]
    assert said == [["run", "--repeat", "3", *more, f"o-{n}", "--", "server"] for n in (1, 2)]


@pytest.mark.process
@pytest.mark.parametrize("command", ["validate", "systems"])
def test_only_a_run_loads_locust(command):
    """What sends nothing does not patch the process either."""
    subject = {"validate": ["echo"], "systems": []}[command]
    asked = subprocess.run(
        [sys.executable, "-c", IMPORTED, command, *subject],
        check=False, capture_output=True, text=True, cwd=ROOT, timeout=300,
    )  # fmt: skip
    loaded = asked.stderr.split(",")
    assert "locust" not in loaded
    assert "gevent" not in loaded
    assert asked.stdout


@pytest.mark.process
def test_the_installed_command_is_this_one():
    """`mcp-perf` is on the path and answers."""
    command = shutil.which("mcp-perf", path=str(Path(sys.executable).parent))
    asked = subprocess.run(
        [command, "--help"], check=False, capture_output=True, text=True, timeout=300
    )
    assert asked.returncode == 0
    for name in COMMANDS:
        assert f"\n  {name}" in asked.stdout


def test_the_list_of_commands_is_complete():
    """The tests below cover every command there is."""
    shown = [name for name, command in main.commands.items() if not command.hidden]
    assert sorted(shown) == sorted(COMMANDS)


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)], ids=str)
def test_every_help_has_an_example_or_needs_none(ask, command):
    """A command that takes something shows how; the examples are commands of mcp-perf."""
    asked = ask(*command, "--help")
    assert asked.exit_code == 0
    examples = [line.strip() for line in asked.output.splitlines() if "  mcp-perf " in line]
    assert examples or command[0] in ("list", "systems")
    for example in examples:
        words = example.partition(" -- ")[0].split()
        assert words[1] in COMMANDS
        flags = [word for word in words[2:] if word.startswith("-")]
        known = {name for option in main.commands[words[1]].params for name in option.opts}
        assert set(flags) <= known or words[1] == "web"  # which takes the options of Locust


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ([], []),
        (["my.yaml", "--web-port", "1"], ["--scenario", "my.yaml", "--web-port", "1"]),
        (["--users", "5", "-t", "3s"], ["--users", "5", "-t", "3s"]),
    ],
)
def test_web_hands_all_options_to_locust(ask, monkeypatch, words, given):
    """The first word may be the scenario; the exit code is Locust's."""
    served = []
    # In its place: it loads Locust.
    fake = SimpleNamespace(serve=lambda options, _opened: served.append(options) or 7)
    monkeypatch.setattr(load, "headless", fake, raising=False)
    assert ask("web", *words).exit_code == 7
    assert served == [given]


@pytest.mark.process
def test_an_option_that_locust_does_not_know_ends_as_one_that_we_do_not():
    """Not with the 2 of argparse, which our tables of exit codes do not have."""
    command = [sys.executable, "-m", "mcp_perf", "web", "--nonsense"]
    asked = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert (asked.returncode, asked.stdout) == (104, "")
    assert "unrecognized arguments: --nonsense" in asked.stderr


def test_help_says_the_exit_codes(ask):
    """The help of `run` has the codes that a script branches on."""
    text = " ".join(ask("run", "--help").output.split())
    for code in ("0 PASS", "90", "91", "92", "99 FAIL", "104", "105", "107", "108"):
        assert code in text


def test_the_commands_that_reports_name_exist_with_their_options():
    """Whoever copies one out of a page can run it."""
    texts = [path.read_text("utf-8") for path in (ROOT / "reports" / "templates").glob("*.j2")]
    named = re.findall(r"mcp-perf ([a-z]+)([^<`\n]*)", "\n".join(texts))
    assert named
    for command, rest in named:
        known = {name for param in main.commands[command].params for name in param.opts}
        assert set(re.findall(r"(?<!\S)--[a-z-]+", rest)) <= known, (command, rest)


def test_short_and_long_help_are_the_same(ask):
    """-h works everywhere."""
    assert ask("run", "-h").output == ask("run", "--help").output


def test_validate_says_what_a_good_file_holds_and_does(ask):
    """Name, arms, journeys, gates; then what it calls, reads and runs."""
    asked = ask("validate", "echo", "twilio-tasks")
    assert asked.exit_code == 0
    first, called, second, _ = asked.output.splitlines()
    assert first.startswith("echo: ok (echo")
    assert called == "echo: calls system:echo/rest, system:echo/mcp"
    assert second.startswith("twilio-tasks: ok (twilio-tasks")
    for what in ("arms: rest, mcp", "journeys: 1", "gates: 2"):
        assert what in first


def test_promise_09_validate_warns_of_timeouts_that_cannot_be_reached(ask, tmp_path):
    """The file is valid all the same."""
    path = tmp_path / "slow.yaml"
    path.write_text(
        "name: slow\narms: {mcp: {mcp: 'http://127.0.0.1:1/mcp', timeout: 90s}}\n"
        "journeys: {one: {steps: [{call: work}]}}\n"
    )
    asked = ask("validate", str(path))
    assert asked.exit_code == 0
    ok, called, warning = asked.stdout.splitlines()
    assert ok.startswith(f"{path}: ok (slow;")
    assert called == f"{path}: calls 127.0.0.1:1"
    assert warning.startswith(
        f"{path}: warning: arm mcp: the timeout of 90 s is longer than limits.drain (30 s)"
    )
    assert warning.endswith("write limits: {drain: 90s}")


def test_validate_says_all_that_is_wrong_and_goes_on(ask, tmp_path):
    """Every problem of every file, by line; the good ones are named as good; the code is 104."""
    bad = tmp_path / "bad.yaml"
    bad.write_text("name: x\nnonsense: 1\narms: {}\n")
    asked = ask("validate", str(bad), "echo", "nowhere.yaml")
    assert asked.exit_code == 104
    assert "echo: ok" in asked.stdout
    assert f"{bad}:2: " in asked.stderr
    assert "nonsense" in asked.stderr
    assert "nowhere.yaml" in asked.stderr
    assert "Traceback" not in asked.output


def test_list_names_what_can_be_run(ask, tmp_path, monkeypatch):
    """Shipped scenarios, and those in ./scenarios; an invalid one is listed as such."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "scenarios"
    folder.mkdir()
    echo = (ROOT / "scenarios" / "start" / "echo.yaml").read_text()
    (folder / "my_own.yaml").write_text(echo.replace("name: echo", "name: my-own", 1))
    (folder / "broken.yaml").write_text("name: [")
    asked = ask("list")
    assert asked.exit_code == 0
    lines = {line.split()[0]: line for line in asked.output.splitlines()}
    assert {"echo", "twilio-tasks", "my-own", "broken"} <= lines.keys()
    assert "Echo, by REST" in lines["my-own"]
    assert "invalid: mcp-perf validate" in lines["broken"]


def test_list_names_each_scenario_once(ask, monkeypatch):
    """In the project's own folder the shipped ones are the files in ./scenarios."""
    monkeypatch.chdir(ROOT)
    names = [line.split()[0] for line in ask("list").output.splitlines()]
    assert len(names) == len(set(names))


def test_systems_names_targets_as_they_are_written(ask):
    """What is listed can be copied into a scenario."""
    asked = ask("systems")
    assert asked.exit_code == 0
    for target in ("system:echo/rest", "system:echo/mcp", "system:twilio/mcp"):
        assert target in asked.output


@pytest.mark.process
def test_a_system_is_started_by_hand():
    """Its addresses are shown, and Ctrl-C stops it."""
    command = [sys.executable, "-m", "mcp_perf", "systems", "start", "echo", "--set", "delay=5ms"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as started:
        lines = [started.stdout.readline() for _ in range(3)]
        started.send_signal(signal.SIGINT)
        assert started.wait(60) == 0
    assert re.fullmatch(r"echo/mcp +http://127\.0\.0\.1:\d+/mcp\n", lines[0])
    assert re.fullmatch(r"echo/rest +http://127\.0\.0\.1:\d+\n", lines[1])
    assert lines[2] == "Ctrl-C stops it.\n"


@pytest.mark.parametrize("words", [("ech",), ("echo", "--set", "x=1"), ("echo", "--port", "-1")])
def test_a_system_or_flag_that_there_is_not_is_refused(ask, words):
    """The message lists the ones that exist."""
    asked = ask("systems", "start", *words)
    assert asked.exit_code == 104


@pytest.mark.process
def test_a_flag_with_a_wrong_value_is_told_in_one_sentence(ask):
    """It is the sentence of the system, without its usage and without a log that is gone."""
    asked = ask("systems", "start", "echo", "--set", "delay=abc")
    assert (asked.exit_code, asked.stdout) == (104, "")
    assert asked.stderr.startswith(
        "echo: argument --delay: 'abc' is not a duration: write a duration"
    )
    assert len(asked.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("rn", "No such command 'rn'. Did you mean 'run'?"),
        ("run -r -5", "'--spawn-rate' / '-r': -5.0 is not in the range x>0"),
        ("run -u many", "'many' is not a valid integer range"),
        ("run -t soon", "'soon' is not a duration; write 30s, 5m or 1h30m"),
        ("run echo --json=1", "'--json' does not take a value"),
        ("run echo shop", "unexpected extra argument (shop)"),
        ("run http://a/mcp --rate 0", "'--rate': 0.0 is not in the range x>0"),
        ("report", "Missing argument 'RUN'"),
        ("report run/journal.jsonl", "It is a file: name the folder of a run, such as run."),
        (
            "report bad",
            "bad/journal.jsonl, line 1: this is not a record of a run (JSON is malformed",
        ),
        ("report empty", "The journal is empty"),
        ("report .", "There is no journal.jsonl in .: name the folder of a run."),
        ("compare run", "Missing argument 'NEW...'"),
        ("compare bad/journal.jsonl run", "is not a baseline (JSON is malformed"),
        ("compare run run --tolerance 10", "'10' is not a percentage; write it like"),
        (
            "compare run run --out file",
            "cannot be written (File exists)",
        ),
        ("compare run file/run", "There is no journal.jsonl in file/run"),
        ("baseline", "mcp-perf baseline save"),
        ("baseline sav run", "No such command 'sav'. Did you mean 'save'?"),
        ("baseline save run run", "is named twice"),
        (
            "baseline save run -o run",
            "cannot be written (Is a directory)",
        ),
        ("baseline show file", "file is not a baseline"),
        ("baseline show nowhere", "nowhere cannot be read (No such file or directory)"),
        ("trend --store nowhere", "not the URL of a database; write sqlite:///PATH"),
        ("trend --store sqlite:///bad/journal.jsonl", "file is not a database"),
        ("trend --metric mcp", "write ARM.METRIC, such as mcp.p95"),
        ("trend --metric mcp.tool[x].p95", "write ARM.METRIC, such as mcp.p95"),
        ("validate", "Missing argument 'SCENARIO...'"),
        ("validate http://a/mcp", "is an address, not a scenario - write mcp-perf init"),
        ("validate run", "is the folder of a run, not a scenario - write mcp-perf report run"),
        ("validate bad.yaml", "bad.yaml:1: the file is not UTF-8 - save it as UTF-8"),
        ("systems strt", "No such command 'strt'. Did you mean 'start'?"),
        ("systems start echo --port 99999", "99999 is not in the range 0<=x<=65535"),
        ("schema report", "unexpected extra argument (report)"),
    ],
)
def test_a_mistake_is_told_in_words_and_nothing_before_it(ask, tmp_path, monkeypatch, words, says):
    """Where, what, and what to write; the exit code is 104, and no half of a result is shown."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "bad.yaml").write_bytes(b"name: \xff\xfe")
    for folder in ("run", "bad", "empty"):
        (tmp_path / folder).mkdir()
    journal = ROOT / "tests" / "goldens" / "journals" / "one-arm.jsonl"
    shutil.copy(journal, tmp_path / "run" / "journal.jsonl")
    (tmp_path / "bad" / "journal.jsonl").write_bytes(b"no SQLite, no JSON\n" * 99)
    (tmp_path / "empty" / "journal.jsonl").touch()
    asked = ask(*words.split())
    assert (asked.exit_code, asked.stdout) == (104, "")
    assert says in asked.stderr
    assert "Traceback" not in asked.stderr
    usage = "Usage: mcp-perf" in asked.stderr
    assert usage or len(asked.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", [["run", "echo"], ["report", "."]])
@pytest.mark.parametrize("formats", ["pdfx", "html,docx", ","])
def test_an_unknown_format_is_refused(ask, command, formats):
    """Before anything is sent or written; the message lists the formats."""
    asked = ask(*command, "--format", formats)
    assert asked.exit_code == 104
    assert "choose from html, json, md, csv, junit" in asked.output


def test_report_of_a_folder_without_a_run_is_refused(ask, tmp_path):
    """It says what is missing, and writes nothing."""
    asked = ask("report", str(tmp_path))
    assert asked.exit_code == 104
    assert "journal.jsonl" in asked.output
    assert list(tmp_path.iterdir()) == []


def test_report_of_a_damaged_journal_is_refused(ask, tmp_path):
    """A file that is not a journal is reported with the line, without a traceback."""
    (tmp_path / "journal.jsonl").write_text("nonsense\n{}\n")
    asked = ask("report", str(tmp_path))
    assert asked.exit_code == 104
    assert "journal.jsonl" in asked.output
    assert "Traceback" not in asked.output


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Run echo for a second, once; return the finished process and its folder."""
    folder = tmp_path_factory.mktemp("run") / "out"
    command = [
        sys.executable, "-c", "from mcp_perf.cli.main import main; main()",
        "run", "echo", "--out", str(folder), "-u", "2", "-t", "1s", "--format", "json,md",
        "--set", "load.warmup=0.1s", "--set", "load.round=0.2s",
    ]  # fmt: skip
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=300
    )
    return done, folder


@pytest.mark.load
def test_a_run_shows_progress_and_says_where_the_report_is(finished):
    """Progress goes to the error stream, the outcome to the output."""
    done, folder = finished
    report = json.loads((folder / "report.json").read_text())
    assert done.returncode == report["exit_code"]
    assert report["verdict"] in done.stdout
    assert str(folder) in done.stdout.replace("\n", "")
    assert "round 1 of " in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.load
def test_a_run_writes_the_formats_that_were_asked_for(finished):
    """Journal and log are always there; of the reports, only the ones of --format."""
    _, folder = finished
    names = {path.name for path in folder.iterdir() if path.is_file()}
    assert names == {"journal.jsonl", "run.log", "report.json", "report.md"}


@pytest.mark.load
def test_report_writes_the_same_again(finished, ask, tmp_path):
    """The journal is the one source: the document made from it is the same as the run's."""
    _, folder = finished
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(folder / "journal.jsonl", copy)
    asked = ask("report", str(copy))
    assert asked.exit_code == 0
    assert [Path(line).name for line in asked.output.splitlines()] == [
        "report.json", "samples.csv", "junit.xml", "report.md", "report.html",
    ]  # fmt: skip
    assert (copy / "report.json").read_bytes() == (folder / "report.json").read_bytes()
    assert (copy / "report.md").read_bytes() == (folder / "report.md").read_bytes()
    assert len(FORMATS) == 5


@pytest.mark.parametrize("name", ["../../x", "/etc/x", ""])
def test_a_baseline_of_somebody_elses_run_stays_in_its_folder(ask, tmp_path, monkeypatch, name):
    """Its file has the scenario's name, and a journal may contain any name."""
    stored = (ROOT / "tests" / "goldens" / "journals" / "one-arm.jsonl").read_text()
    first, _, rest = stored.partition("\n")
    folder = tmp_path / "run"
    folder.mkdir()
    started = json.dumps(json.loads(first) | {"scenario": name})
    (folder / "journal.jsonl").write_text(f"{started}\n{rest}")
    monkeypatch.chdir(tmp_path)
    refused = ask("baseline", "save", "run")
    assert refused.exit_code == 104
    assert f"its scenario {name!r} cannot be the name of a file" in refused.output
    assert ask("baseline", "save", "run", "-o", "base.json").exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"run", "base.json"}
