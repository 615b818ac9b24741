"""The pages are executed: every command is run; every link, option, code and limit is checked."""

import re
import shlex
import shutil
import struct
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest
import yaml
from click.testing import CliRunner

from mcp_perf.cli import run
from mcp_perf.cli.main import main
from mcp_perf.cli.refused import FORMATS
from mcp_perf.client.channels import process_group, server_log, stdio
from mcp_perf.client.http import budget, http1
from mcp_perf.client.http.endpoint import DEFAULT_TIMEOUT_S
from mcp_perf.client.mcp import lists
from mcp_perf.client.protocol import versions
from mcp_perf.client.protocol.answers import MOST_ROUNDS
from mcp_perf.load.lifecycle import run_key
from mcp_perf.load.prepare import options as locust_options
from mcp_perf.load.prepare.provision import MOST_S
from mcp_perf.load.replies.schema_work import MOST_WORK
from mcp_perf.load.targets import refusal
from mcp_perf.load.web import admission
from mcp_perf.outcomes import CLASSES
from mcp_perf.results.journal.redact import SHORTEST
from mcp_perf.results.judge import order
from mcp_perf.scenario.loader import find, load, load_text, shipped
from mcp_perf.scenario.model import confidential, identities
from tests.support import ROOT
from tests.support.disturbance import spoiled
from tests.support.foreign import EVERYTHING as EVERYTHING_SERVER
from tests.support.foreign import node_server
from tests.support.waiting import answers, free_port, until
from tests.support.web_page import DIRECT, OPENS

PAGES = {
    str(path.relative_to(ROOT)): path.read_text("utf-8")
    for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")))
}
EVERYTHING = "\n".join(PAGES.values())
NOT_RUN = {
    "make run": "installs into its own venv; read by `make -n` below",
    "make test": "would run this test again; read by `make -n` below",
    "pip install mcp-perf": "tests/system/test_installed.py installs it",
    "mcp-perf run http://127.0.0.1:8000/mcp": "takes a minute; further down it is shortened",
    "pip install 'mcp-perf[systems]'": "the same with what these tests have anyway",
    ". .venv/bin/activate": "the tests run with their own environment's commands on the path",
}
"""Commands on the pages that are not executed, and why."""
SERVES = "mcp-perf web"
"""This command never ends: its page is fetched, then it is stopped."""
BUSY = {r" -t ": {90, 91}, r" --baseline | compare ": {91, 99}}
"""The exit codes of disturbed commands, whatever the page says: a short run without enough evidence
or with late users, or the second of two runs that is slower."""
THIN = {r" compare | --baseline |=breakpoint|run http\S+ --out first$": {90}}
"""The exit codes, on any machine, of a command that judges two short runs or searches for some
seconds: there may not be enough evidence."""
CALM = "limits: {loop_lag_p99: 10s, lost_time: 100%, generator_cpu: 100%, late_starts: 100%}\n"
"""Late wake-ups of the load generator are the machine's fault, not the page's."""
SHORT = {
    r" -t 12s": " -t 6s",
    r" -t 30s": " -t 2s",
    r"(/mcp --out first)$": r"\1 -t 3s",
    r"round: 2s": "round: 500ms",
    r"warmup: \ds": "warmup: 300ms",
}
"""As many rounds as on the pages, each half as long; readers have more time than tests."""


TITLED = r'^```\w+ title="([^"]+)"\n(.*?)^```'
"""A block on a page that is a file of the reader."""


@dataclass(frozen=True)
class Command:
    """One `$ ` line on a page, and the outcome that the page states."""

    text: str
    code: int
    output: tuple[str, ...]


def commands(page: str) -> list[Command]:
    """Return the commands on a page, in order."""
    found = []
    for block in re.findall(
        r"^```(?:console|sh)\n(.*?)^```", PAGES[page], re.DOTALL | re.MULTILINE
    ):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, *output = part.strip().splitlines()
            text, _, comment = line.partition(" # ")
            code = re.fullmatch(r"exit code (\d+)", comment.strip())
            found.append(Command(text.strip(), int(code[1]) if code else 0, tuple(output)))
    return found


ALL = {page: commands(page) for page in PAGES}
TOGETHER = tuple(
    f"docs/how-to/{name}.md"
    for name in (
        *("users", "rate", "bearer-token", "stdio", "assertions", "client-configuration"),
        "pytest",
    )
)
"""Short pages that one reader reads in one folder: later pages need not repeat commands."""
READINGS = {
    **{page: (page,) for page, found in ALL.items() if found and page not in TOGETHER},
    "how-to": TOGETHER,
}
NEEDS = {"docs/tutorial.md": (pytest.mark.network,)}
EVERYTHING_BY_NPX = f"npx -y {EVERYTHING_SERVER} "


def codes(known: dict[str, set[int]], text: str) -> set[int]:
    """Return the exit codes that are known for a command, by words in it."""
    return {code for found, some in known.items() if re.search(found, text) for code in some}


def short(text: str) -> str:
    """Return a command or a scenario, shortened."""
    for long, brief in SHORT.items():
        text = re.sub(long, brief, text)
    return text


def calm(path: Path) -> None:
    """Shorten a scenario, and allow it on a busy machine."""
    text = re.sub(r"(?m)^limits: .*\n", "", path.read_text("utf-8")) + CALM
    # The number of calls in a few seconds depends on the machine; showing 0.1 % takes 3000.
    path.write_text(short(text.replace("error_rate < 0.1%", "error_rate < 5%")))


class Reader:
    """A reader who types the commands of one page in a copy of the repository."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.ports = {port: free_port() for port in ("8000", "8001", "8089")}
        """Port on the pages -> port here: the pages' ports may be in use."""
        master = str(free_port())
        self.environment = {
            **environment,
            "PYTHONPATH": str(folder),
            "LOCUST_WEB_PORT": str(self.ports["8089"]),
            "LOCUST_MASTER_BIND_PORT": master,
            "LOCUST_MASTER_NODE_PORT": master,
            "MCP_PERF_RUN_KEY": "the key that the page has one export",
        }
        self.background: list[tuple[str, subprocess.Popen]] = []
        self.typed: set[str] = set()
        for name in ("scenarios", "examples", "mcp_perf", "mcp_targets", "reports", "locustfiles"):
            # With compiled Python files, except those being written.
            leave = shutil.ignore_patterns("out", "*.pyc.*")
            shutil.copytree(ROOT / name, folder / name, ignore=leave)
        shutil.copytree(ROOT / "tests" / "benchmarks", folder / "tests" / "benchmarks")
        shutil.copytree(ROOT / "tests" / "support", folder / "tests" / "support")
        for name in ("__init__.py", "conftest.py"):
            shutil.copy(ROOT / "tests" / name, folder / "tests")
        shutil.copy(ROOT / "pyproject.toml", folder)
        for path in (*(folder / "scenarios").glob("*/*.yaml"), folder / "examples" / "gate.yaml"):
            calm(path)

    def read(self, page: str) -> None:
        """Write the files that a page shows, and type its commands in order."""
        for name, text in re.findall(TITLED, PAGES[page], re.DOTALL | re.MULTILINE):
            (self.folder / name).write_text(self._ours(text))
        done = {*NOT_RUN, *self.typed}  # on earlier pages; two equal workers on one page are two
        for command in ALL[page]:
            if command.text not in done:
                self.type(command)
                self.typed.add(command.text)

    def type(self, command: Command) -> None:
        """Run it, and check its exit code and its output against the page."""
        text = short(command.text)
        if EVERYTHING_BY_NPX in text:
            text = text.replace(EVERYTHING_BY_NPX, f"{shlex.join(node_server(EVERYTHING_SERVER))} ")
        argv = shlex.split(self._ours(text))
        if argv[-1] == "&":
            self._start(argv[:-1])
            for port in re.findall(r"(?<=[ =])800[01]\b", text):
                until(lambda port=port: answers(self.ports[port]), command.text)
            return
        if command.text == SERVES:
            self._look_at_the_page(self._start(argv))
            return
        ended = subprocess.run(argv, timeout=300, check=False, **self._places)
        assert "Traceback" not in ended.stdout
        allowed = {command.code, *codes(THIN, command.text)}
        if ended.returncode not in allowed and ended.returncode in codes(BUSY, command.text):
            spoiled(f"{command.text}: exit code {ended.returncode}\n{ended.stdout[-600:]}")
        assert ended.returncode in allowed, f"{command.text}\n{ended.stdout}"
        for made in re.findall(r" init .* -o (\S+)", text):
            calm(self.folder / made)
        said = " ".join(ended.stdout.split())
        for line in command.output:
            assert " ".join(line.split()) in said, f"{command.text}\n{ended.stdout}"

    def leave(self) -> None:
        """Check that workers have ended without a signal, and stop the servers."""
        for text, process in self.background:
            if "--worker" in text:
                assert process.wait(300) == 0, text

    def stop(self) -> None:
        """Leave nothing behind."""
        for _, process in self.background:
            if process.poll() is None:
                process.terminate()
                process.wait(300)

    def _ours(self, text: str) -> str:
        """Replace the page's ports with this reader's ports."""
        return re.sub(r"\b800[01]\b", lambda found: str(self.ports[found[0]]), text)

    @property
    def _places(self) -> dict:
        return {
            "cwd": self.folder,
            "env": self.environment,
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.STDOUT,
            "text": True,
        }

    def _start(self, argv: list[str]) -> subprocess.Popen:
        with (self.folder / f"background-{len(self.background)}.log").open("w") as log:
            process = subprocess.Popen(argv, **{**self._places, "stdout": log})
        self.background.append((shlex.join(argv), process))
        return process

    def _look_at_the_page(self, process: subprocess.Popen) -> None:
        until(lambda: answers(self.ports["8089"]), SERVES)
        log = self.folder / f"background-{len(self.background) - 1}.log"
        live, locusts = OPENS.findall(log.read_text())
        for address in (live, locusts):
            user = urllib.request.build_opener(DIRECT, urllib.request.HTTPCookieProcessor())
            with user.open(address, timeout=300) as reply:
                assert "twilio-tasks" in reply.read().decode()
        process.terminate()
        assert process.wait(300) == 0


@contextmanager
def reading(folder: Path, environment: dict[str, str]) -> Iterator[Reader]:
    """Give a reader, whose servers end with the test."""
    reader = Reader(folder, environment)
    try:
        yield reader
        reader.leave()
    finally:
        reader.stop()


@pytest.mark.load
@pytest.mark.parametrize(
    "pages",
    [pytest.param(pages, id=name, marks=NEEDS.get(name, ())) for name, pages in READINGS.items()],
)
def test_the_commands_of_a_page_work_in_their_order(pages, tmp_path, environment):
    """Each has the exit code and the output that the page shows; 0 if it shows no code."""
    with reading(tmp_path, environment) as reader:
        for page in pages:
            reader.read(page)


def test_the_pattern_finds_the_commands_and_no_exception_is_stale():
    """Every command listed as not run is on a page, and enough commands are run."""
    texts = [command.text for found in ALL.values() for command in found]
    assert set(NOT_RUN) <= set(texts)
    assert len(texts) - len(NOT_RUN) >= 12
    assert SERVES in texts


@pytest.mark.process
@pytest.mark.parametrize("goal", ["run", "test"])
def test_the_first_two_commands_do_what_their_comments_say(goal):
    """`make run` installs into .venv and runs the default scenario; `make test` runs pytest."""
    assert f"$ make {goal}" in PAGES["README.md"].split("```")[1]
    shown = subprocess.run(
        ["make", "--no-print-directory", "-n", "-W", "pyproject.toml", goal],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert ".venv/bin/python -m pip install" in shown
    last = {"run": ".venv/bin/mcp-perf run", "test": ".venv/bin/python -m pytest"}[goal]
    assert shown.strip().splitlines()[-1].startswith(last)
    default = next(p.default for p in run.run.params if p.name == "scenario")
    assert find(default()).is_file()


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as common viewers make them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in headings}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    """Relative links and pictures exist, and so do the headings they point to."""
    for link in re.findall(r"\]\(([^)\s]+)\)", PAGES[page]):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text("utf-8")), link


@pytest.mark.parametrize(
    "picture", sorted((ROOT / "docs" / "images").iterdir()), ids=lambda p: p.name
)
def test_pictures_are_small_shown_and_whole(picture):
    """A picture is on a page, below 300 kB, and of the type in its name."""
    content = picture.read_bytes()
    assert f"images/{picture.name})" in EVERYTHING
    assert len(content) < 300_000
    if picture.suffix == ".svg":
        assert ET.fromstring(content).tag.endswith("svg")
    else:
        assert content.startswith(b"\x89PNG\r\n")
        assert struct.unpack(">I", content[16:20])[0] == 1200


def table(page: str, first: str) -> list[str]:
    """Return the first column of the table with this heading."""
    rows = PAGES[page].partition(f"\n| {first} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [row.split("|")[1].strip() for row in rows]


CODES = {
    *order.CODES.values(),
    *(value for name, value in vars(order).items() if name.endswith("_CODE")),
    refusal.CONFIGURATION,
    refusal.UNREACHABLE,
}


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/ci.md"])
def test_the_tables_of_exit_codes_are_those_of_the_code(page):
    """Exactly the codes that a run can end with are explained."""
    assert [int(code) for code in table(page, "exit code")] == sorted(CODES)


def test_every_exit_code_that_is_mentioned_exists():
    """Neither a page nor the command's help mentions a code that never occurs."""
    assert {int(code) for code in re.findall(r"exit code (\d+)", EVERYTHING)} <= CODES
    assert {int(code) for code in re.findall(r"\b\d+\b", run._EXITS)} == CODES


def test_the_options_of_run_are_all_in_the_table():
    """The table has every option of the command by all its names, and the same formats."""
    names = " ".join(table("docs/reference/run.md", "option"))
    listed = set(re.findall(r"(?<![\w-])--?[a-z-]+|SCENARIO", names))
    params = [param for param in run.run.params if not param.is_eager]
    known = {name for param in params for name in param.opts}
    assert listed == known - {"scenario"} | {"SCENARIO"}
    assert f"`{','.join(FORMATS)}`" in PAGES["docs/reference/run.md"]


@pytest.mark.process
def test_every_option_and_command_that_is_mentioned_exists(environment):
    """Options belong to mcp-perf, to Locust or pytest with ours, or to the bundled systems."""
    helps = [
        ["locust", "-f", "locustfiles", "--help"],
        [sys.executable, "-m", "pytest", "--help"],
        *(
            [sys.executable, "-m", f"mcp_targets.{name}", "--help"]
            for name in ("echo", "twilio", "ladder", "dual_runtime", "business_tools", "upstream")
        ),
    ]
    running = [
        subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        for argv in helps
    ]
    known = {option for process in running for option in options(process.communicate()[0])}
    locust_options.add(
        SimpleNamespace(set_defaults=dict, add_argument=lambda name, **_: known.add(name))
    )
    groups = (getattr(command, "commands", {}) for command in main.commands.values())
    inner = (group.values() for group in groups)
    for command in chain([main], main.commands.values(), *inner):
        known |= {name for param in command.params for name in param.opts}
    ours = re.sub(r"^(docker|kubectl) .*", "", EVERYTHING, flags=re.MULTILINE)
    assert {option for option in options(ours) if option not in known} == set()
    named = set(re.findall(r"(?:`|\$ |- )mcp-perf ([a-z]+)", EVERYTHING))
    assert named <= set(main.commands)


def options(text: str) -> set[str]:
    """Return the long options that a text names."""
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))


def test_every_shipped_scenario_loads_by_its_name():
    """What `mcp-perf list` shows can be run."""
    for path in shipped():
        scenario = load(path).scenario
        assert find(scenario.name) == path


@pytest.mark.parametrize(
    ("page", "block"),
    [
        (page, block)
        for page, text in PAGES.items()
        for block in re.findall(r"^ *```yaml.*?\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    ],
)
def test_every_yaml_block_is_yaml_and_scenarios_are_valid(page, block, tmp_path):
    """Scenarios can be copied and run; other blocks can be parsed."""
    tree = yaml.safe_load(block)
    if {"name", "arms"} <= tree.keys():
        (tmp_path / "own-ca.pem").touch()
        (tmp_path / "users.csv").write_text("name,token\nada,t-1\n")
        (tmp_path / "clients.csv").write_text("client,secret\nada,s-1\n")
        assert load_text(
            block,
            page,
            tmp_path,
            environ=dict.fromkeys(("MCP_TOKEN", "API_KEY", "PROXY_LOGIN"), "t"),
        ).scenario.journeys


def test_what_is_said_of_targets_is_what_the_client_does():
    """Classes, versions and limits equal the constants."""
    page = PAGES["docs/reference/targets.md"]
    assert table("docs/reference/targets.md", "class") == [f"`{name}`" for name in CLASSES]
    assert all(version in page for version in versions.VERSIONS)
    assert f"{http1.MAX_REPLY_BYTES // 2**20} MiB" in page
    assert f"{http1.MAX_HEAD_BYTES // 2**10} KiB" in page
    assert f"{budget.MOST // 2**20} MiB in each process" in page
    bounds = f"{lists.MAX_PAGES}, {lists.MAX_LIST_BYTES // 2**20} MiB and {lists.MAX_LIST_S:g} s"
    assert f"{bounds} together" in page
    assert f"{MOST_WORK:,} parts for one value".replace(",", " ") in page
    assert f"one call | {MOST_ROUNDS} |" in page
    assert f"{DEFAULT_TIMEOUT_S:g} s by default" in page
    assert f"after {process_group.GRACE_S:g} s more SIGKILL" in " ".join(page.split())
    assert f"up to {server_log.MAX_LOG_BYTES // 2**20} MiB per node" in page
    assert f"of a line {server_log.MAX_LINE_BYTES // 2**10} KiB" in page
    assert all(f"`{name}`" in page for name in stdio.INHERITED)


def test_what_is_said_of_secrets_and_identities_is_what_the_code_does():
    """The shortest secret, the names that suggest one, and the bounds of provisioning."""
    page = " ".join(PAGES["docs/explanation/security.md"].split())
    assert f"of {admission.SHORTEST} to {admission.LONGEST} characters" in page
    assert f"more than {admission.MOST_BYTES} bytes is not read" in page
    assert f"shorter than {SHORTEST} characters are not replaced" in page
    assert all(f"`{word}`" in page for word in confidential.SOUNDS_SECRET.pattern.split("|"))
    page = " ".join(PAGES["docs/how-to/distributed.md"].split())
    assert (
        f"at least {run_key.SHORTEST} characters in the environment variable `{run_key.VARIABLE}`"
        in page
    )
    page = " ".join(PAGES["docs/reference/scenarios.md"].split())
    assert f"{identities.MOST_AT_ONCE} at a time and all within {MOST_S:g} s" in page


def test_the_files_and_messages_of_the_architecture_exist():
    """Readers of the page find every file and every message that it names."""
    page = PAGES["docs/architecture.md"]
    house = {str(path.relative_to(ROOT)) for path in ROOT.glob("*/**/*.*")}
    for name in set(re.findall(r"`([\w/.]+\.(?:py|json|yaml|jsonl))`", page)) - {"journal.jsonl"}:
        made = name.replace("NAME", "echo").replace("render/echo", "render/html")
        assert any(f"/{file}".endswith(f"/{made}") for file in house), name
    files = ("engine/conductor.py", "engine/turn_runner.py", "lifecycle/working.py")
    code = "".join((ROOT / "mcp_perf" / "load" / file).read_text("utf-8") for file in files)
    messages = re.findall(r"^\| `(mcp-perf-\w+)`(?:, `(\w+)`)? \|", page, re.MULTILINE)
    assert len(messages) == 9
    for message, kind in messages:
        assert f'"{message}"' in code
        assert not kind or f'"{kind}"' in code


def test_the_index_of_the_scenarios_is_what_list_prints():
    """Readers of the folder see what the command shows."""
    index = (ROOT / "scenarios" / "README.md").read_text("utf-8").partition("```text\n")[2]
    listed = CliRunner().invoke(main, ["list"]).output
    assert index == f"{listed}```\n"
