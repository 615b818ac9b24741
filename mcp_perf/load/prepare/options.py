"""The custom arguments of the locustfile, and what the user asked for with them."""

import argparse
from typing import Any, Final

from mcp_perf import settings
from mcp_perf.load.prepare.history import VARIABLE
from mcp_perf.load.prepare.prepare import RunOptions
from mcp_perf.scenario.catalog import names
from mcp_perf.scenario.values.units import TOLERANCE

LOOPBACK: Final = "127.0.0.1"
"""Where the page and the master listen, unless the user asks for another host."""


class FormChoices:
    """Whether `--scenario` is shown with the known names: only the web form needs them."""

    active = False


_OUT: Final = (
    "The folder for the results of this run; default: a new one in "
    "reports/out (checkout) or mcp-perf-out."
)
_DEFAULT: Final = f"default: ${VARIABLE}, or a file next to the runs."
_POINT: Final = "Point an arm at another server: ARM=URL."
_MORE: Final = "May be repeated."
_ARGUMENTS: Final[tuple[tuple[str, Any, str, str], ...]] = (
    ("--target", [], "ARM=URL", f"{_POINT} Repeat it for further arms."),
    ("--arm", [], "ARM", f"Run only this arm. {_MORE}"),
    ("--set", [], "PATH=VALUE", f"Change a value of the scenario: load.users=50. {_MORE}"),
    ("--allow", [], "HOST", f"Confirm that this public host's owners agree. {_MORE}"),
    ("--out", "", "DIR", _OUT),
    ("--baseline", "", "PATH", "Fail if slower than this file of mcp-perf baseline save."),
    ("--tolerance", TOLERANCE, "SHARE", "How much worse than the baseline a metric may be."),
    ("--protocol", "", "VERSION", "The MCP version of all MCP arms, such as 2025-11-25."),
    ("--log-calls", "", "FILE", "Write every request and answer to this file, as JSONL."),
    ("--store", "", "URL", f"The database that remembers runs, a URL; {_DEFAULT}"),
)
"""Our other arguments: name, default, the name of their value, help."""
OURS: Final = ("scenario", *(name[2:].replace("-", "_") for name, *_ in _ARGUMENTS))
"""The attributes of Locust's options that hold our arguments."""


def add(parser: Any) -> None:
    """Add our arguments. Locust calls this again for every view of its page."""
    parser.set_defaults(web_host=LOOPBACK, master_bind_host=LOOPBACK)
    parser.add_argument(
        "--scenario",
        default=settings.current().scenario,
        choices=_Names() if FormChoices.active else None,
        help="What to run: the name of a scenario, or the path of a YAML file.",
        include_in_web_ui=True,
    )
    for name, default, metavar, text in _ARGUMENTS:
        parser.add_argument(
            name,
            action="append" if default == [] else "store",
            default=default,
            metavar=metavar,
            help=text,
            include_in_web_ui=name == "--target",
        )


def run_options(options: argparse.Namespace) -> RunOptions:
    """Read from Locust's options what the user asked for."""
    return RunOptions(
        scenario=options.scenario or settings.current().scenario,
        targets=several(options.target),
        arms=several(options.arm),
        settings=tuple(options.set or ()),
        out=options.out or "",
        users=options.num_users,
        spawn_rate=options.spawn_rate,
        run_time_s=options.run_time,
        tags=tuple(options.tags or ()),
        excluded_tags=tuple(options.exclude_tags or ()),
        baseline=options.baseline,
        tolerance=options.tolerance,
        workers=bool(options.master),
        protocol=options.protocol,
        store=options.store,
        allow=tuple(options.allow or ()),
        log_calls=options.log_calls,
    )


def several(value: Any) -> tuple[str, ...]:
    """Read a list, or the text with commas or spaces that the web form makes of it."""
    parts = value.replace(",", " ").split() if isinstance(value, str) else value or ()
    return tuple(part for part in parts if part)


class _Names(list[str]):
    """The choices of the form. They refuse nothing, because a path is fine, too."""

    def __init__(self) -> None:
        super().__init__(names())

    def __contains__(self, _name: object) -> bool:
        return True
