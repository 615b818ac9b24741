"""What a scenario does to the world around it, said before it does it.

Which hosts it calls, which variables of the environment and files it reads and who gets them, which
commands it starts, which modules it imports.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from mcp_perf.scenario.model.scenario import Scenario
from mcp_perf.scenario.model.targets import split_target, words

WIDTH: Final = 80
_VARIABLE: Final = re.compile(r"\$\{env:([^{}]*)\}")
_CREDENTIAL: Final = re.compile(r"auth|token|secret|key|cookie|password", re.IGNORECASE)


def addresses(
    scenario: Scenario, lines: Mapping[str, str], env: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield the addresses that get requests, by who names them; `lines` are the targets by arm."""
    for name, line in lines.items():
        transport, rest = split_target(line)
        if transport in ("http", "sse"):
            yield name, rest
            if scenario.arms[name].proxy:
                yield f"{name}, proxy", scenario.arms[name].proxy
    for name, arm in scenario.arms.items():
        if arm.resources.kind == "prometheus":
            yield f"{name}, resources", arm.resources.value
        if arm.auth is not None and arm.auth.oauth.issuer:
            issuer = _VARIABLE.sub(lambda found: env.get(found[1], ""), arm.auth.oauth.issuer)
            yield f"{name}, issuer", issuer
    if scenario.identities is not None and scenario.identities.provision is not None:
        yield "identities", scenario.identities.provision.post


def told(
    scenario: Scenario, lines: Mapping[str, str], env: Mapping[str, str], peak: str = ""
) -> list[str]:
    """Say what a scenario does, in at most three lines of any length.

    With the `peak` of a run's load, systems are left out: they are started here, for the run.
    """
    called = [host_of(url) for _, url in addresses(scenario, lines, env)]
    targets = [split_target(line) for line in lines.values()]
    if not peak:
        called += [line for line in lines.values() if split_target(line)[0] == "system"]
    sent = ((name, ", ".join(where)) for name, where in _readers(scenario, lines).items())
    read = [f"{name} (for {where})" if where else name for name, where in sent]
    run = [f"starts {rest}" for transport, rest in targets if transport == "stdio"]
    run += [f"imports {rest}" for transport, rest in targets if transport == "python"]
    one = peak.endswith("user")
    said = {
        f"at most {peak} {'calls' if one else 'call'}" if peak else "calls": called,
        "reads": [*read, *_files(scenario)],
        "runs code:": run,
    }
    return [f"{what} {', '.join(dict.fromkeys(which))}" for what, which in said.items() if which]


def insecure(scenario: Scenario, lines: Mapping[str, str]) -> Iterator[str]:
    """Yield what a reader of the report should know about how its secrets travelled."""
    for name, line in lines.items():
        arm, url = scenario.arms[name], split_target(line)[1]
        if not arm.tls.verify:
            yield f"{name}: the certificate of its server was not checked (tls.verify: false)."
        secret = arm.auth is not None or any(map(_CREDENTIAL.search, arm.headers))
        if secret and url.startswith("http:") and not _is_here(urlsplit(url).hostname or ""):
            yield f"{name}: its credentials crossed the network in the clear ({host_of(url)})."


def in_short(said: Iterable[str]) -> list[str]:
    """Cut lines to the width of a terminal; what is left out can be asked for."""
    more = " … (all of it: mcp-perf validate)"
    return [one if len(one) <= WIDTH else one[: WIDTH - len(more)] + more for one in said]


def host_of(url: str) -> str:
    """Return the host of an address, without user and password, and its port if that is written."""
    try:
        return unquote(urlsplit(url).netloc.rpartition("@")[2]) or url
    except ValueError:
        return url


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _readers(scenario: Scenario, lines: Mapping[str, str]) -> dict[str, list[str]]:
    """Return each variable of the environment, and who gets it, which may be nobody."""
    found: dict[str, list[str]] = {name: [] for name in scenario.env}
    of_all = [scenario.vars, [journey.with_ for journey in scenario.journeys.values()]]
    for arm, line in lines.items():
        steps = [step for journey in scenario.journeys.values() for step in journey.of(arm)]
        written = [scenario.arms[arm], *steps]
        _note(found, [of_all, [part.model_dump() for part in written]], _whom(line))
    provision = scenario.identities and scenario.identities.provision
    if provision:
        _note(found, provision.model_dump(), host_of(provision.post))
    return found


def _note(found: dict[str, list[str]], tree: Any, whom: str) -> None:
    for name in dict.fromkeys(_VARIABLE.findall(repr(tree))):
        if whom not in found.setdefault(name, []):
            found[name].append(whom)


def _whom(line: str) -> str:
    transport, rest = split_target(line)
    if transport == "stdio":
        return words(rest)[0]
    return host_of(rest) if transport in ("http", "sse") else line


def _files(scenario: Scenario) -> Iterator[str]:
    if scenario.identities is not None and scenario.identities.csv:
        yield scenario.identities.csv
    if scenario.load.replay is not None:
        yield scenario.load.replay
    for journey in scenario.journeys.values():
        for spec in journey.with_.values():
            table = spec.get("csv") if isinstance(spec, dict) else None
            if isinstance(table, dict):
                yield str(table.get("file"))
    for arm in scenario.arms.values():
        yield from arm.tls.files.values()
