"""What must be true of identities: their file, and the lookups that ask for them."""

from collections.abc import Iterator
from itertools import chain
from typing import Final

from mcp_perf.scenario.checks.names import Draft, lookups, texts, texts_of, within
from mcp_perf.scenario.model.identities import NUMBER, Provision, Rows, names_in, read_rows
from mcp_perf.scenario.model.targets import Tls
from mcp_perf.scenario.problems.mistake import Mistake, Path
from mcp_perf.scenario.problems.suggestions import suggest
from mcp_perf.scenario.problems.wording import InputError, quote
from mcp_perf.scenario.values.files import named
from mcp_perf.scenario.values.generators import IDENTITY

_CSV: Final = ("identities", "csv")
_REQUEST: Final = ("identities", "provision")


def check_identities(draft: Draft) -> Iterator[Mistake]:
    """Yield what is wrong with the identities, and with the lookups that ask for them."""
    identities = draft.scenario.identities
    if identities is None:
        return
    rows = Rows("", [], [])
    if identities.csv:
        try:
            rows = read_rows(identities.csv, draft.env, draft.base)
        except InputError as error:
            yield Mistake(_CSV, f"csv: {error.message}", error.hint)
            return
    names = [*rows.columns, NUMBER]
    needed: set[str] = set()
    if (provision := identities.provision) is not None:
        yield from _provision(draft, provision, rows.columns)
        names += provision.take
        needed |= {name for _, tree in provision.texts(()) for name in names_in(tree)}
    for path, name in _used(draft):
        needed.add(name)
        if name not in names:
            shown = f"{IDENTITY}.{name}" if name else IDENTITY
            message = f"${{{shown}}}: identities do not have this value"
            yield Mistake(path, message, suggest(name, names))
    yield from _blanks(rows, needed)


def _blanks(rows: Rows, needed: set[str]) -> Iterator[Mistake]:
    """Find rows that lack a value that is asked for: a blank token would be sent as it is."""
    for column in rows.columns:
        if column in needed and (lines := rows.blank(column)):
            message = f"line {lines[0]} of {quote(rows.file)} has no value for {column}"
            yield Mistake(_CSV, message, "give every row a value in this column")


def _provision(draft: Draft, provision: Provision, columns: list[str]) -> Iterator[Mistake]:
    """Check the request, which cannot use what is taken from its reply."""
    for item in lookups(texts_of(provision, _REQUEST), draft.env):
        if isinstance(item, Mistake):
            yield item
        elif item[1] not in (IDENTITY, "run"):
            message = f"${{{item[1]}}} cannot be used here"
            hint = "write ${identity.number}, a column of csv, ${run} or ${env:NAME}"
            yield Mistake(item[0], message, hint)
    for here, text in texts_of(provision, _REQUEST):
        for name in names_in(text):
            if name not in (*columns, NUMBER):
                message = f"${{{IDENTITY}.{name}}}: the csv has no column {name}"
                yield Mistake(here, message, suggest(name, [*columns, NUMBER]))
    for name in provision.take:
        if name in columns:
            message = f"{quote(name)} is both taken from the reply and a column of the csv"
            yield Mistake((*_REQUEST, "take", name), message, "rename one of them")
    yield from check_files(draft, _REQUEST, provision.tls)


def _used(draft: Draft) -> Iterator[tuple[Path, str]]:
    """Yield the names that the scenario's lookups ask for, each with its path."""
    scenario = draft.scenario
    found = [texts_of(arm, ("arms", name)) for name, arm in scenario.arms.items()]
    for name, journey in scenario.journeys.items():
        found.append(texts(journey.with_, ("journeys", name, "with")))
        for arm in scenario.arms:
            for located in draft.steps(name, arm):
                found += [texts_of(step, path) for path, step in (located, *within(located))]
    for here, text in chain.from_iterable(found):
        yield from ((here, name) for name in names_in(text))


def check_files(draft: Draft, path: Path, tls: Tls) -> Iterator[Mistake]:
    """Yield what is wrong with the files that `tls` names."""
    for key, written in tls.files.items():
        try:
            named(written, draft.env, draft.base)
        except InputError as error:
            yield Mistake((*path, "tls", key), error.message, error.hint)
