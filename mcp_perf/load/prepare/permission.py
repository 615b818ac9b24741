"""Which servers a run may load: a public address belongs to somebody, who has to agree.

A small load on an address that the user typed, and any load in the user's own networks, need no
permission. A public address that only a file names, a search at a public address, and a load above
the limits need `--allow HOST` or a yes on the terminal.
"""

import contextlib
import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from mcp_perf.client.http import addresses, dialing
from mcp_perf.client.http.endpoint import Origin
from mcp_perf.load.targets.proxies import unused
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.numbers import counted
from mcp_perf.scenario import effects
from mcp_perf.scenario.loader import Loaded
from mcp_perf.scenario.model.load import BREAKPOINT, Load
from mcp_perf.scenario.model.steps import flat

MOST_USERS: Final = 20
MOST_CALLS_PER_S: Final = 50.0
"""For one arm: a load that a person could make, and that no owner of a server would notice."""

_URL: Final = re.compile(r"https?://[^\s'\",}]+")

logger = logging.getLogger("mcp-perf")


@dataclass(frozen=True, slots=True)
class User:
    """The person who started the run."""

    ask: Callable[[str], bool]
    """Asks a question, and returns whether the answer is yes."""
    say: Callable[[str], object] = logger.info
    """Shows a line, before anything is done."""


NOBODY: Final = User(ask=lambda _question: False)


def at_terminal(question: str) -> bool:
    """Ask the person at the terminal, if there is one."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    sys.stderr.write(f"{question}\nDo its owners agree? Type yes to go on: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() == "yes"


def settle(
    loaded: Loaded,
    lines: Mapping[str, str],
    users: int,
    typed: Iterable[str],
    allowed: Iterable[str],
    user: User,
) -> tuple[str, list[str]]:
    """Say what a run will do, once all owners agree. Raises Refusal if one does not.

    Returns the setting that slows the run down, if any, and remarks for the report.
    """
    load, remarks = loaded.scenario.load, list(effects.insecure(loaded.scenario, lines))
    pause_s = pause_needed(loaded, lines, users, typed, allowed, user)
    peak = f"{load.peak:g} journeys/s" if load.open else counted(users, "user")
    said = effects.in_short(effects.told(loaded.scenario, lines, loaded.env, peak))
    slowed, why = paced(load, pause_s) if pause_s else ("", "")
    remarks += [why] if why else []
    for who, url in effects.addresses(loaded.scenario, lines, loaded.env):
        ignored = who in lines and unused(url, loaded.scenario.arms[who].proxy)
        remarks += [f"{who}: {ignored}."] if ignored else []
    for line in filter(None, [*said, why]):
        user.say(line)
    return slowed, remarks


def pause_needed(
    loaded: Loaded,
    lines: Mapping[str, str],
    users: int,
    typed: Iterable[str],
    allowed: Iterable[str],
    user: User = NOBODY,
) -> float:
    """Return how long users have to think, in s, to stay below the limits of hosts without a yes.

    `lines` are the targets by arm, `typed` the texts with which the user named targets, `allowed`
    the hosts of `--allow`. Raises Refusal if a host needs a yes but does not have one, or if it may
    never be called.
    """
    load = loaded.scenario.load
    named = {urlsplit(url).hostname for text in typed for url in _URL.findall(text)}
    agreed = {host.lower() for host in allowed}
    calls = {arm: _most_calls(loaded, arm) for arm in lines}
    refused, pause_s = [], 0.0
    for who, url in effects.addresses(loaded.scenario, lines, loaded.env):
        host, figures = _resolved(url)
        shown = "" if host in figures else f"{host}: "
        refused += [f"{shown}{why}" for why in map(addresses.never, figures) if why]
        hidden = not figures and who in lines and loaded.scenario.arms[who].proxy
        if host in agreed or not (hidden or any(map(addresses.is_public, figures))):
            continue
        why_ask = "; ".join(_objections(load, users, calls.get(who), typed=host in named))
        if why_ask:
            question = f"{host} is a public address ({why_ask})"
            if user.ask(question):
                agreed.add(host)
            else:
                refused.append(f"{question}. If its owners agree to the load, add --allow {host}")
        elif not load.open:
            pause_s = max(pause_s, users * calls.get(who, 0) / MOST_CALLS_PER_S)
    if refused:
        raise Refusal(*dict.fromkeys(refused))
    return pause_s if pause_s > load.think.min else 0.0


def permit_more(
    loaded: Loaded,
    lines: Mapping[str, str],
    users: int,
    typed: Iterable[str],
    allowed: Iterable[str],
) -> None:
    """Make sure that a run may go on with this many users. Raises Refusal."""
    if pause_needed(loaded, lines, users, typed, allowed):
        most = f"{MOST_CALLS_PER_S:g} calls/s at a public address"
        raise Refusal(
            f"{counted(users, 'user')} can make more than {most}. Start again with fewer "
            "users, or with --allow HOST if its owners agree"
        )


def paced(load: Load, pause_s: float) -> tuple[str, str]:
    """Return the setting that makes users think at least this long, and a remark about it."""
    pause_ms = round(pause_s * 1000)
    # A setting is one value; only a think time with two ends can be longer than its shortest.
    path = "load.think.min" if pause_ms < load.think.max * 1000 else "load.think"
    calls = f"{MOST_CALLS_PER_S:g} calls/s at a public address (--allow HOST lifts this limit)"
    return f"{path}={pause_ms}ms", f"Users think at least {pause_ms} ms: at most {calls}."


def _objections(load: Load, users: int, calls: int | None, *, typed: bool) -> Iterator[str]:
    """Yield the reasons why the owners of a public host have to agree.

    `calls` are the calls of one journey. None is for a host that is not a target, which gets one
    request from each user.
    """
    if not typed:
        yield "the scenario names it, but the command does not"
    if calls is None:
        return
    if load.shape == BREAKPOINT:
        yield "a search for the capacity loads it until it fails"
    elif load.open and load.peak * calls > MOST_CALLS_PER_S:
        much = f"{load.peak * calls:g} calls/s, but more than {MOST_CALLS_PER_S:g}"
        yield f"{much} need its owners' permission"
    elif not load.open and users > MOST_USERS:
        yield f"{counted(users, 'user')}, but more than {MOST_USERS} need its owners' permission"


def _most_calls(loaded: Loaded, arm: str) -> int:
    """Return the calls of an arm's longest journey."""
    journeys = loaded.scenario.journeys.values()
    return max(sum(step.action != "wait" for step in flat(one.of(arm))) for one in journeys)


def _resolved(url: str) -> tuple[str, list[str]]:
    """Return the host of an address, and its IP addresses; none if the name is unknown."""
    host, figures = url, list[str]()
    with contextlib.suppress(OSError, ValueError):  # reported when the target is tried
        origin = Origin.of(url)
        host = origin.host
        figures = [where[0] for _, where in dialing.look_up(host, origin.port)]
    return host, figures
