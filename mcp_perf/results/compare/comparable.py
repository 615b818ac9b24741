"""Whether two runs can be compared at all, and what a reader of the comparison must know.

A difference that alone changes the numbers (other work, another load, another machine) refuses the
comparison; one that might change them (another version of Python) is a warning.
"""

from collections.abc import Mapping
from typing import Any

from mcp_perf.results.document.run_numbers import RunIdentity
from mcp_perf.results.judge.trial import finds_levels

_SEARCHED = (
    "the rounds of a search have different loads, so they cannot be compared with another run"
)
_INSTEAD = {
    "breakpoint": "write a gate like mcp.capacity >= 100/s instead",
    "doubling": "give both runs a constant load, such as --users 10",
}
AGAIN = "run the base again with this version of mcp-perf"


def differences(base: RunIdentity, new: RunIdentity) -> list[str]:
    """Say what makes the runs incomparable, each with both values; empty if they can be compared.

    An arm that only one of them has is not listed here: it cannot pass, and the comparison says so.
    """
    for load in (base.load, new.load):
        if finds_levels(load):
            return [f"load: {_SEARCHED}; {_INSTEAD[load['shape']]}"]
    if base.scenario != new.scenario:
        return [_differs("scenario", base.scenario, new.scenario)]
    for which, run in (("base", base), ("new run", new)):
        if not run.workload:
            older = f"the {which} does not say what it did (its journal is older)"
            return [f"workload: {older}; {AGAIN}"]
    found = [
        _differs(f"workload: what the arm {arm} does", digest, new.workload[arm])
        for arm, digest in base.workload.items()
        if arm in new.workload and new.workload[arm] != digest
    ]
    if not base.workload.keys() & new.workload.keys():
        found.append(_differs("arms", ", ".join(base.workload), ", ".join(new.workload)))
    found += _of("load", base.load, new.load)
    found += _of("machine", base.machine, new.machine)
    return found


def warnings(base: RunIdentity, new: RunIdentity) -> list[str]:
    """Say what differs, but need not matter."""
    return _of("versions", base.versions, new.versions)


def _of(what: str, base: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [
        _differs(f"{what}.{name}", base.get(name), new.get(name))
        for name in dict.fromkeys([*base, *new])
        if base.get(name) != new.get(name)
    ]


def _differs(what: str, base: object, new: object) -> str:
    return f"{what}: {_show(base)} in the base, {_show(new)} now"


def _show(value: object) -> str:
    return "nothing" if value is None else str(value)
