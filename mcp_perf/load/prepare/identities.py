"""Who the users of a run are: rows of a file, answers to requests, or both; settled before it."""

from collections.abc import Sequence
from typing import Any

from mcp_perf.client.http.http1 import encode_headers
from mcp_perf.load.prepare.provision import hide_secrets, provision_all
from mcp_perf.load.targets.personal import Identity, Personal
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.scenario.loader import Loaded
from mcp_perf.scenario.model.confidential import secret_names
from mcp_perf.scenario.model.identities import NUMBER, read_rows
from mcp_perf.scenario.problems.wording import InputError


def settle(loaded: Loaded, users: int, run: str, share: slice = slice(None)) -> list[Identity]:
    """Read and request the identities of a `share` of all users; `run` is the run's `${run}`.

    There are none if the scenario has none, and more if a file has more rows. Raises Refusal.
    """
    written = loaded.scenario.identities
    if written is None:
        return []
    rows = _rows(written.csv, loaded, users)
    if written.provision is None:
        _check_headers(loaded, rows)
        return list(rows[share])
    identities = provision_all(written.provision, rows[:users][share], loaded, run)
    _check_headers(loaded, identities)
    return identities


def _rows(csv: str | None, loaded: Loaded, users: int) -> list[dict[str, Any]]:
    """Return the rows of the file, with their secrets hidden; only numbers if there is no file."""
    if csv is None:
        return [{NUMBER: number} for number in range(1, users + 1)]
    try:
        rows = read_rows(csv, loaded.env, loaded.base)
    except InputError as error:
        raise Refusal(f"identities: {error.message}; {error.hint}") from error
    identities = rows.identities()
    hidden = secret_names(loaded.scenario)
    for identity in identities:
        hide_secrets(identity, hidden)
    if len(identities) < users:
        found = f"{rows.file} has {len(identities)} rows, but the run has {users} users"
        raise Refusal(f"identities: {found}: add rows, or run with -u {len(identities)}")
    return identities


def _check_headers(loaded: Loaded, identities: Sequence[Identity]) -> None:
    for arm, part in loaded.scenario.arms.items():
        personal = Personal(part, loaded)
        for identity in identities:
            try:
                encode_headers(personal.headers(identity).items())
            except ValueError as error:
                message = f"arm {arm}: headers of identity {identity[NUMBER]}: {error}"
                raise Refusal(message) from error
