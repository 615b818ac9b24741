"""What may be typed into the form of Locust's page, whose fields all become options of Locust.

The user of the form may not be the one who started Locust. So the form takes only names that are
known here, addresses, and what is on the command line as well.
"""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from mcp_perf.load.prepare.options import several
from mcp_perf.load.prepare.prepare import RunOptions, read
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.scenario.catalog import names
from mcp_perf.scenario.problems.suggestions import suggest
from mcp_perf.scenario.problems.wording import quote

Number = TypeVar("Number", int, float)

LOCUSTS: Final = ("user_count", "spawn_rate", "host", "run_time", "profile")
"""What Locust's form always has."""
OF_PICKER: Final = ("user_classes", "shape_class")
"""What the form has in addition with --class-picker."""
OF_LOAD: Final = ("user_count", "spawn_rate")
"""What can be changed during a run."""
READ_BY_US: Final = (*OF_LOAD, "run_time", "scenario", "target")
"""What Locust must not see as it was typed. It would stop the run by its own clock, although our
rounds were fitted into that time, and keep the other values for runs that the terminal starts."""


def require_known(fields: Iterable[str], shown: Container[str]) -> None:
    """Refuse fields that the form does not show. Raises Refusal."""
    if foreign := [field for field in fields if field not in shown]:
        named = ", ".join(quote(field) for field in foreign)
        raise Refusal(f"the form has no field {named}; such an option is for the command line")


def is_edit(fields: Container[str]) -> bool:
    """Tell whether a form is Locust's Edit, which changes a run that goes on."""
    return "host" not in fields


def asked(
    form: Mapping[str, str], started: RunOptions, seconds: Callable[[str], float]
) -> RunOptions:
    """Read the form; `named` says what stays. `seconds` reads times such as 1m30s.

    Raises Refusal, or ValueError if a number or a time cannot be read.
    """
    run_time = form.get("run_time")
    targets = several(form.get("target", ""))
    for text in targets:
        if "=" in text and text not in started.targets:
            check_address(text.partition("=")[2])
    if host := form.get("host"):
        check_address(host)
    return replace(
        named(form.get("scenario", ""), started),
        targets=targets,
        users=users(form),
        spawn_rate=_number(form, "spawn_rate", float, "the spawn rate"),
        run_time_s=seconds(run_time) if run_time else None,
    )


def aimed(options: RunOptions, form: Mapping[str, str]) -> RunOptions:
    """Point the only arm at the form's host, unless a target does; several arms have no host.

    Raises Refusal.
    """
    host = form.get("host")
    arms = list(read(options).scenario.arms) if host and not options.targets else ()
    return replace(options, targets=(f"{arms[0]}={host}",)) if len(arms) == 1 else options


def named(name: str, started: RunOptions) -> RunOptions:
    """Return the options that Locust was started with, for a scenario that the form names.

    Each run gets a new folder. Options about arms, values and journeys belong to the scenario of
    the command line. Raises Refusal.
    """
    kept, known = replace(started, out=""), names()
    if name in ("", started.scenario):
        return kept
    if name.replace("_", "-") not in known:
        hint = f"{suggest(name, known)}; put a file of yours into ./scenarios"
        raise Refusal(f"there is no scenario {quote(name)} in the list: {hint}")
    return replace(kept, scenario=name, targets=(), arms=(), settings=(), tags=(), excluded_tags=())


def check_address(line: str) -> None:
    """Refuse targets that must not be typed into the page. Raises Refusal."""
    if not line.startswith(("http://", "https://")):
        raise Refusal(
            f"{quote(line)} is not an address: write http://… here; other targets are for the "
            "command line, or for a scenario"
        )


def users(form: Mapping[str, str]) -> int | None:
    """Read how many users there will be; None if the form leaves that open. Raises ValueError."""
    return _number(form, "user_count", int, "the number of users")


def _number(form: Mapping[str, str], field: str, read: type[Number], what: str) -> Number | None:
    text = form.get(field)
    if not text:
        return None
    try:
        return read(text)
    except ValueError:
        kind = "whole number" if read is int else "number"
        raise ValueError(f"{what} is {text!r}; write a {kind} above 0") from None
