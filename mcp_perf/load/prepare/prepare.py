"""Everything to settle before a run: the scenario, its load, its targets, its folder."""

import contextlib
import math
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, get_args

from mcp_perf import folders, settings
from mcp_perf.load.hub.redaction import hide
from mcp_perf.load.plan import search
from mcp_perf.load.plan.description import described
from mcp_perf.load.plan.drain import longest_s, shortened
from mcp_perf.load.plan.schedule import Turn, fit, levels, plan
from mcp_perf.load.prepare import open_files, permission
from mcp_perf.load.prepare.baseline import against
from mcp_perf.load.prepare.draws import misfits
from mcp_perf.load.prepare.history import problems as store_problems
from mcp_perf.load.prepare.identities import settle
from mcp_perf.load.steps.burst import undecided
from mcp_perf.load.targets import confidential
from mcp_perf.load.targets.bundled import Systems, transport_of
from mcp_perf.load.targets.personal import NOBODY, Identity
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.load.targets.targets import (
    SYSTEM,
    ArmTarget,
    reach_all,
    unknown_tools,
    unprovided,
    unspoken,
)
from mcp_perf.load.watch.sources import Source, find_resources
from mcp_perf.numbers import counted, seconds
from mcp_perf.results.journal.records import Baseline
from mcp_perf.scenario.loader import Loaded, ScenarioError, find, load
from mcp_perf.scenario.model.load import BREAKPOINT, Load
from mcp_perf.scenario.model.scenario import Protocol
from mcp_perf.scenario.model.targets import split_target
from mcp_perf.scenario.problems.wording import InputError
from mcp_perf.scenario.values.units import TOLERANCE

MOST_PROCESSES: Final = 16
"""For a stdio server in an open load, unless `max_in_flight` asks for more."""
_OURS: Final = ("run.log", "errors.log", "systems")
"""Names in a run's folder that a run writes to, even if they exist."""
_LOGGED: Final = "Calls were written to a file (--log-calls), which makes times longer."


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the user asked for: on Locust's command line, in its form, or on ours."""

    scenario: str = field(default_factory=lambda: settings.current().scenario)
    targets: Sequence[str] = ()
    """Each is `ARM=TARGET`: a URL, or another line of `mcp_perf.scenario.model.targets`."""
    arms: Sequence[str] = ()
    """Only these; none means all."""
    settings: Sequence[str] = ()
    """Each is like `load.users=50`."""
    out: str = ""
    users: int | None = None
    spawn_rate: float | None = None
    run_time_s: float | None = None
    tags: Sequence[str] = ()
    """Only journeys with one of these; none means all."""
    excluded_tags: Sequence[str] = ()
    baseline: str = ""
    """The file of a baseline; none means no comparison."""
    tolerance: str = TOLERANCE
    workers: bool = False
    """Whether the users work in other processes than the one that prepares the run."""
    protocol: str = ""
    """The version that all MCP arms use; empty: each as the scenario says."""
    store: str = ""
    """The URL of the database that remembers runs; `history.py` has the default."""
    allow: Sequence[str] = ()
    """Public hosts whose owners agree to the load."""
    log_calls: str = ""
    """The file for every call with its request and answer; empty: none."""


@dataclass(slots=True)
class Prepared:
    """A run that may begin."""

    options: RunOptions
    loaded: Loaded
    run_id: str
    users: int
    spawn_rate: float
    turns: tuple[Turn, ...]
    """All of them; of a search only the first, because the rest depends on their results."""
    rounds: int
    """Per arm; in a search the most there can be."""
    folder: Path
    systems: Systems
    targets: dict[str, ArmTarget] = field(default_factory=dict)
    baseline: Baseline | None = None
    resources: dict[str, Source] = field(default_factory=dict)
    identities: list[Identity] = field(default_factory=list)
    """Of the users of this process; of a master, only the one with which it tries the targets."""
    run: str = ""
    """The run's `${run}`."""
    remarks: Sequence[str] = ()
    """What a reader of the report should know about how the run was set up."""

    @property
    def searching(self) -> bool:
        return self.loaded.scenario.load.shape == BREAKPOINT

    @property
    def logs(self) -> Path:
        """The folder for what systems and stdio servers write."""
        return self.folder / "systems"

    def announced(self) -> list[str]:
        """Say how long the run may take, and which timeouts its drains cut short."""
        scenario = self.loaded.scenario
        load_s, most_s = longest_s(self.turns, scenario, self.rounds if self.searching else None)
        long = f"{seconds(load_s)} of load, at most {seconds(most_s)} if calls are not answered"
        if scenario.load.journeys:
            long = f"{counted(scenario.load.journeys, 'journey')} in each round, or {long}"
        lines = {name: target.url for name, target in self.targets.items()}
        return [long, *processes_told(self.loaded, lines, self.users), *shortened(scenario)]

    def load(self) -> dict[str, Any]:
        rounds = [turn for turn in self.turns if turn.phase == "round"]
        known = described(self.loaded.scenario.load) | {
            "users": self.users,
            "spawn_rate": self.spawn_rate,
            "rounds": self.rounds,
            "round_s": round(rounds[0].seconds, 3),
        }
        if not self.searching:
            known["order"] = [turn.arm for turn in rounds]
        return known


def read(options: RunOptions, environ: Mapping[str, str] = os.environ) -> Loaded:
    """Load the scenario that the user asked for. Raises Refusal with all problems of the file."""
    loaded = _load(_spoken(options, environ), environ)
    return choose(loaded, options.tags, options.excluded_tags)


def _load(options: RunOptions, environ: Mapping[str, str]) -> Loaded:
    try:
        path = find(options.scenario)
        return load(path, options.settings, environ=environ, arms=options.arms)
    except ScenarioError as error:
        raise Refusal(*(str(problem) for problem in error.problems)) from error


def _spoken(options: RunOptions, environ: Mapping[str, str] = os.environ) -> RunOptions:
    """Turn the version for all MCP arms into a setting of each. Raises Refusal."""
    if not options.protocol:
        return options
    if options.protocol not in get_args(Protocol):
        known = ", ".join(get_args(Protocol))
        raise Refusal(f"--protocol {options.protocol}: write one of {known}")
    arms = _load(options, environ).scenario.arms
    asked = (f"arms.{arm}.protocol={options.protocol}" for arm in arms if arms[arm].kind == "mcp")
    return replace(options, settings=(*options.settings, *asked), protocol="")


def choose(loaded: Loaded, tags: Sequence[str], excluded: Sequence[str]) -> Loaded:
    """Keep the journeys that --tags and --exclude-tags ask for. Raises Refusal if none is left."""
    journeys = {
        name: journey
        for name, journey in loaded.scenario.journeys.items()
        if (not tags or set(tags) & set(journey.tags)) and not set(excluded) & set(journey.tags)
    }
    if not journeys:
        known = sorted({tag for one in loaded.scenario.journeys.values() for tag in one.tags})
        shown = f"the tags in the file are {', '.join(known)}" if known else "the file has no tags"
        given = {"--tags": tags, "--exclude-tags": excluded}
        asked = " and ".join(option for option in given if given[option])
        raise Refusal(f"no journey is left by {asked}; {shown}")
    replay = loaded.replay and loaded.replay.only(journeys)
    scenario = loaded.scenario.model_copy(update={"journeys": journeys})
    return replace(loaded, scenario=scenario, replay=replay)


def prepare(options: RunOptions, user: permission.User = permission.NOBODY) -> Prepared:
    """Settle everything and start the systems. Raises Refusal, and leaves nothing running then."""
    if problems := _impossible(options) + store_problems(options.store):
        raise Refusal(*problems)
    options = _spoken(options)
    loaded = read(options)
    hide(loaded.env.values())
    pointed = _pointed(options.targets, loaded)
    lines = lines_of(loaded, pointed)
    hide(confidential.of_run(loaded, options.settings, lines.values()))

    users = options.users or most_users(loaded, lines)
    typed = (*options.targets, *options.settings)
    slowed, remarks = permission.settle(loaded, lines, users, typed, options.allow, user)
    if slowed:
        options = replace(options, settings=(*options.settings, slowed))
        loaded = read(options)
    load_ = loaded.scenario.load
    if not options.workers or any(line.startswith(SYSTEM) for line in lines.values()):
        open_files.require(loaded, users, lines)
    rounds, turns = _turns(load_, list(loaded.scenario.arms), users, options.run_time_s)
    run_id = _run_id(loaded.scenario.name)
    folder = _folder(options.out, run_id)
    had_logs = (folder / "systems").exists()
    prepared = Prepared(
        options=options,
        loaded=loaded,
        run_id=run_id,
        users=users,
        spawn_rate=options.spawn_rate or load_.spawn_rate or min(float(users), 100.0),
        turns=turns,
        rounds=rounds,
        folder=folder,
        systems=Systems(folder / "systems"),
        remarks=[
            *remarks,
            *(f"Not judged, because --arm leaves out an arm: {gate}" for gate in loaded.left_out),
            *[_LOGGED] * bool(options.log_calls),
        ],
    )
    if options.baseline:
        scenario = loaded.scenario
        prepared.baseline = against(options.baseline, options.tolerance, scenario, prepared.load())
    try:
        _reach(prepared, pointed)
        folders.make(folder)
    except OSError as error:
        prepared.systems.stop()
        why = f"the folder cannot be created ({error.strerror}); name another one"
        raise Refusal(f"--out {folder}: {why}") from error
    except BaseException as error:
        prepared.systems.stop()
        if isinstance(error, Refusal) and error.keep_logs:
            folders.make(folder)
        elif not had_logs:
            _remove_logs(folder)
        raise
    return prepared


def _reach(prepared: Prepared, pointed: Mapping[str, str]) -> None:
    """Settle who the users are, and try every target as the first of them. Raises Refusal."""
    loaded = prepared.loaded
    run = prepared.run = secrets.token_hex(3)
    if prepared.options.workers:  # they bring their own; ours has a different `run`
        prepared.identities = settle(loaded, prepared.users, secrets.token_hex(3), slice(1))
    else:
        prepared.identities = settle(loaded, prepared.users, run)
    first = prepared.identities[0] if prepared.identities else NOBODY
    common = {"run": run}
    prepared.targets = reach_all(loaded, prepared.systems, pointed, common, prepared.logs, first)
    prepared.resources = find_resources(loaded, prepared.targets)
    problems = [
        *unknown_tools(loaded, prepared.targets),
        *unspoken(loaded, prepared.targets),
        *undecided(loaded, prepared.targets),
        *_unmeasured(loaded.scenario.load, prepared.resources),
        *unprovided(loaded, prepared.targets, pointed),
    ]
    if problems := problems or misfits(loaded, prepared.targets, prepared.identities):
        raise Refusal(*problems)


def _unmeasured(load_: Load, resources: Mapping[str, Source]) -> list[str]:
    """Return a line for each arm whose processor time a calibration needs but cannot read."""
    return [
        f"load.calibrate needs the processor time of {arm}. {source.why_not}"
        for arm, source in resources.items()
        if load_.calibrate is not None and source.reader is None
    ]


def most_users(loaded: Loaded, lines: Mapping[str, str]) -> int:
    """Return how many users a load needs. In an open load, each starts its own stdio servers."""
    load_ = loaded.scenario.load
    few = load_.open and load_.max_in_flight is None and own_processes(loaded, lines)
    return min(load_.most_users, MOST_PROCESSES) if few else load_.most_users


def own_processes(loaded: Loaded, lines: Mapping[str, str]) -> list[str]:
    """Name the arms on which each user starts its own stdio server."""
    return [
        name
        for name, line in lines.items()
        if loaded.scenario.arms[name].process == "user" and transport_of(line) == "stdio"
    ]


def processes_told(loaded: Loaded, lines: Mapping[str, str], users: int) -> Iterator[str]:
    """Say how many processes an open load starts: one for each journey in flight."""
    for name in own_processes(loaded, lines) if loaded.scenario.load.open else ():
        may_share = split_target(loaded.scenario.arms[name].address)[0] == "stdio"
        cure = "; to start only one, write process: shared" if may_share else ""
        yield (
            f"{name}: {users} server processes will be started, one for each journey that may be "
            f"in flight (max_in_flight){cure}"
        )


def _turns(
    load_: Load, arms: Sequence[str], users: int, run_time_s: float | None
) -> tuple[int, tuple[Turn, ...]]:
    """Return the number of rounds, and the turns as far as they are known."""
    if load_.shape == BREAKPOINT:
        rounds = search.most_rounds(load_, len(arms), run_time_s)
        return rounds, search.beginning(load_, arms, users)
    rounds, round_s = fit(load_.round_count, load_.round_s, len(arms), run_time_s)
    return rounds, plan(arms, levels(load_, rounds, users), round_s, load_.warmup)


def _remove_logs(folder: Path) -> None:
    """Remove the logs of systems that were started for a run that was then refused."""
    shutil.rmtree(folder / "systems", ignore_errors=True)
    with contextlib.suppress(OSError):  # it was not made, or contains a file of the user's
        folder.rmdir()


def _impossible(options: RunOptions) -> list[str]:
    """Return a line for each option that a run cannot have."""
    asked = {
        "the number of users": options.users,
        "the spawn rate": options.spawn_rate,
        "the run time": options.run_time_s,
    }
    file = Path(options.log_calls)
    written = file if file.exists() else file.parent
    unfit = options.log_calls and (file.is_dir() or not os.access(written, os.W_OK))
    log = [f"--log-calls {file}: the file cannot be written; name another one"] if unfit else []
    return log + [
        f"{what} is {number:g}; write a number above 0"
        for what, number in asked.items()
        if number is not None and not 0 < number < math.inf
    ]


def lines_of(loaded: Loaded, pointed: Mapping[str, str]) -> dict[str, str]:
    """Return the line of each arm's target: the one to which it is pointed, or its address."""
    return {name: pointed.get(name, arm.address) for name, arm in loaded.scenario.arms.items()}


def _pointed(targets: Sequence[str], loaded: Loaded) -> dict[str, str]:
    arms = loaded.scenario.arms
    pointed = {}
    problems = []
    for text in targets:
        name, equals, line = text.partition("=")
        if not equals:
            problems.append(f"--target {text}: write ARM=URL, such as {next(iter(arms))}=http://…")
        elif name not in arms:
            problems.append(f"--target {text}: no arm {name!r}; the arms are {', '.join(arms)}")
        else:
            try:
                pointed[name] = arms[name].pointed(line)
            except InputError as error:
                problems.append(f"--target {text}: {error.message}; {error.hint}")
    if problems:
        raise Refusal(*problems)
    return pointed


def _folder(out: str, run_id: str) -> Path:
    """Return the run's own folder: the one of `--out`, or a new one among the runs."""
    if not out:
        return settings.runs() / run_id
    folder = Path(out)
    if (folder / "journal.jsonl").exists():
        raise Refusal(f"--out {out}: the folder contains an earlier run; name a new one")
    for link in (folder / name for name in _OURS if (folder / name).is_symlink()):
        raise Refusal(f"--out {out}: {link.name} is a link in it; name a new folder")
    if folder.exists() and not folder.is_dir():
        raise Refusal(f"--out {out}: this is a file; name a folder")
    return folder


def _run_id(scenario: str) -> str:
    """Return a name for this run, after its time, that no folder among the runs has yet."""
    return folders.unused(settings.runs() / f"{scenario}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}").name
