"""What must be true of identities: their file, and the lookups that ask for them."""

from collections.abc import Iterator
from typing import Any, Final

import jmespath
from jmespath.exceptions import JMESPathError

from mcp_perf.scenario.checks.draft import Draft
from mcp_perf.scenario.checks.names import lookups, texts
from mcp_perf.scenario.model.identities import NUMBER, Rows, names_in, read_rows
from mcp_perf.scenario.problems.finding import Finding, Path
from mcp_perf.scenario.problems.suggestions import suggest
from mcp_perf.scenario.problems.wording import InputError, quote
from mcp_perf.scenario.source.layout import mapping
from mcp_perf.scenario.values.generators import BUILTINS, IDENTITY
from mcp_perf.scenario.values.paths import inside

_HERE: Final = ("identities",)


def check_identities(draft: Draft) -> Iterator[Finding]:
    """Yield all that is wrong with the identities, and with the lookups that ask for them."""
    if draft.identities is None:
        return
    rows: Rows | None = None
    written = draft.identities.get("csv")
    if isinstance(written, str) and written:
        try:
            rows = read_rows(written, draft.env, draft.base)
        except InputError as error:
            yield Finding((*_HERE, "csv"), f"csv: {error.message}", error.hint)
            return
    columns = [] if rows is None else rows.columns
    provision = mapping(draft.identities, "provision")
    taken = mapping(provision, "take")
    yield from _provision(draft, provision, columns)
    used = list(_used(draft))
    for path, name in used:
        if name not in (*columns, *taken, NUMBER):
            shown = f"{IDENTITY}.{name}" if name else IDENTITY
            hint = suggest(name, [*columns, *taken, NUMBER])
            yield Finding(path, f"${{{shown}}}: no identity has that", hint)
    needed = {name for _, name in used} | set(names_in(provision))
    yield from _blanks(rows, needed)


def _blanks(rows: Rows | None, needed: set[str]) -> Iterator[Finding]:
    """Find rows without a value that is asked for: a blank token would be sent as one."""
    if rows is None:
        return
    for column in rows.columns:
        if column in needed and (lines := rows.blank(column)):
            message = f"line {lines[0]} of {quote(rows.file)} has no {column}"
            yield Finding((*_HERE, "csv"), message, "give every row a value")


def _provision(draft: Draft, provision: dict[str, Any], columns: list[str]) -> Iterator[Finding]:
    for key in ("headers", "form", "json"):
        yield from _request(draft, (*_HERE, "provision", key), provision.get(key), columns)
    for name, expression in mapping(provision, "take").items():
        path = (*_HERE, "provision", "take", name)
        if name in columns:
            message = f"{quote(name)} is taken from the reply, and a column of csv"
            yield Finding(path, message, "rename one of them")
        yield from _expression(path, expression)
    ca = mapping(provision, "tls").get("ca")
    if isinstance(ca, str):
        try:
            inside(draft.base, ca)
        except InputError as error:
            yield Finding((*_HERE, "provision", "tls", "ca"), error.message, error.hint)


def _request(draft: Draft, path: Path, tree: Any, columns: list[str]) -> Iterator[Finding]:
    """Check a part of the request: what is taken from its reply is not known in it."""
    for item in lookups(tree, path, draft.env):
        if isinstance(item, Finding):
            yield item
        elif item[1] not in (IDENTITY, "run"):
            message = f"${{{item[1]}}} cannot stand here"
            hint = "write ${identity.number}, a column of csv, ${run} or ${env:NAME}"
            yield Finding(item[0], message, hint)
    for here, text in texts(tree, path):
        for name in names_in(text):
            if name not in (*columns, NUMBER):
                message = f"${{{IDENTITY}.{name}}}: no column of csv is called so"
                yield Finding(here, message, suggest(name, [*columns, NUMBER]))


def _expression(path: Path, expression: Any) -> Iterator[Finding]:
    if isinstance(expression, str):
        try:
            jmespath.compile(expression)
        except JMESPathError as error:
            said = str(error).splitlines()[0]
            hint = "write it like access_token"
            yield Finding(path, f"{quote(expression)} is not JMESPath: {said}", hint)


def _used(draft: Draft) -> Iterator[tuple[Path, str]]:
    trees: list[tuple[Path, Any]] = [
        (("arms", name, key), arm.keys.get(key))
        for name, arm in draft.arms.items()
        for key in ("headers", "env", "auth")
    ]
    for journey in draft.journeys:
        trees.append(((*journey.path, "with"), journey.with_))
        trees += [item for steps in journey.steps.values() for item in steps]
    for path, tree in trees:
        for here, text in texts(tree, path):
            yield from ((here, name) for name in names_in(text))


def allowed_in_arms(draft: Draft) -> frozenset[str]:
    """Return the names that an arm's headers, environment and authorization may hold."""
    return frozenset() if draft.identities is None else frozenset((IDENTITY,))


def known_in_journeys(draft: Draft) -> frozenset[str]:
    """Return the names that every journey knows."""
    return BUILTINS | allowed_in_arms(draft)
