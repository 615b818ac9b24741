"""Writes a scenario as YAML, with comments, from what was learned about a server."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mcp_perf.load.survey.arguments import SEQ
from mcp_perf.load.survey.given import Given
from mcp_perf.results.document.text import changed, one_line
from mcp_perf.scenario.model.targets import split_target, words

ARM: Final = "mcp"
TIMEOUT_S: Final = 5
Calls = Mapping[str, Mapping[str, Any]]
"""Tool -> its arguments, as `arguments` makes them."""
_UNPRINTABLE: Final = re.compile("[^ -~\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_SHARED: Final = ", loop_lag_p99: 25ms} # the server shares the machine with the load generator"


def scenario(
    given: Given,
    calls: Calls,
    load: str,
    *,
    base: Path,
    gates: Sequence[str] = (),
    remarks: Sequence[str] = (),
) -> str:
    """Write a scenario that is kept in the folder `base`; without calls, it lists the tools."""
    return written(given, _journeys(calls), load, base=base, gates=gates, remarks=remarks)


def written(
    given: Given,
    journeys: Iterable[str],
    load: str,
    *,
    base: Path,
    gates: Sequence[str] = (),
    remarks: Sequence[str] = (),
    timeout_s: int = TIMEOUT_S,
    longest_s: int = 0,
) -> str:
    """Write a scenario around its journeys, which take `longest_s` without their last call."""
    rest = _rest(given, load, gates, timeout_s + longest_s)
    lines = [*_head(given), *_arm(given, base, timeout_s), *journeys, *rest]
    return "\n".join(lines) + ("".join(f"\n# {one_line(remark)}" for remark in remarks) + "\n")


def _head(given: Given) -> Iterator[str]:
    where = "docs/reference/scenarios.md explains every key."
    yield f"# Made from the server's own description. {where}"
    yield f"name: {given.called('').name}"
    yield f"title: {as_yaml(f'Load on {given.name or given.line}')}"
    names = sorted(set(re.findall(r"\$\{env:(\w+)\}", " ".join(_texts(given).values()))))
    if names:
        yield f"env: [{', '.join(names)}] # set these variables"


def _arm(given: Given, base: Path, timeout_s: int) -> Iterator[str]:
    transport, rest = split_target(given.line)
    target = {"stdio": list(words(rest))} if transport == "stdio" else {transport: rest}
    yield "\narms:"
    yield f"  {ARM}:"
    yield f"    mcp: {as_yaml(target if transport in ('stdio', 'sse', 'python') else given.line)}"
    if transport == "stdio":
        yield "    process: shared # one for all users; `user` starts one for each"
        if base.resolve() != given.cwd.resolve():
            yield f"    cwd: {as_yaml(str(given.cwd.resolve()))}"
    if texts := _texts(given):
        yield f"    {'env' if transport == 'stdio' else 'headers'}: {as_yaml(texts)}"
    if given.protocol:
        yield f"    protocol: {given.protocol}"
    yield f"    timeout: {timeout_s}s"


def _texts(given: Given) -> dict[str, str]:
    return dict(given.env if given.line.startswith("stdio:") else given.headers)


def _journeys(calls: Calls) -> Iterator[str]:
    yield "\n# One for each tool: its arguments are made from its inputSchema, and were tried."
    yield "journeys:"
    names: set[str] = set()
    for tool, arguments in calls.items():
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", tool).strip("-_")[:60] or "tool"
        while name in names:
            name += "x"
        names.add(name)
        yield f"  {name}:\n    steps:\n      - call: {as_yaml(tool)}"
        if arguments:
            yield f"        arguments: {as_yaml(escaped(arguments))}"
    if not calls:
        yield "  tools:\n    steps: [{list: tools}]"


def _rest(given: Given, load: str, gates: Sequence[str], drain_s: int) -> Iterator[str]:
    yield f"\nload: {load}"
    yield f"limits: {{drain: {drain_s}s{_SHARED if given.is_here else '}'}"
    if gates:
        yield "\ngates:"
        yield from (f"  - {gate}" for gate in gates)


def escaped(made: Any) -> Any:
    """Write texts as a scenario has them: `${` is not a lookup, and `SEQ` becomes two lookups."""
    return changed(made, lambda text: text.replace("${", "$${").replace(SEQ, "${run}-${seq}"))


def as_yaml(value: Any) -> str:
    """Write JSON that is YAML, too."""
    text = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda match: f"\\U{ord(match[0]):08x}", text)
