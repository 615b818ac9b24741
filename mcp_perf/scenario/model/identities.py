"""Who the virtual users are: one identity each, from a CSV file, by a request, or from both.

A lookup such as `${identity.token}` names a column of the file, or what was taken from the reply to
the request. `${identity.number}` is the number of the identity, from 1.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field

from mcp_perf.scenario.model import fields, syntax
from mcp_perf.scenario.model.targets import Tls
from mcp_perf.scenario.problems.wording import InputError, quote
from mcp_perf.scenario.values.files import VARIABLE, named, read_table
from mcp_perf.scenario.values.generators import IDENTITY
from mcp_perf.scenario.values.templates import compile_template

NUMBER: Final = "number"
MOST_AT_ONCE: Final = 16
"""How many requests for identities are in flight at once."""
_SEGMENT: Final = re.compile(rf"{IDENTITY}\.([A-Za-z_][\w-]*)", re.ASCII)


def _taken(value: str) -> str:
    syntax.identifier(value)
    if value == NUMBER:
        raise InputError(f"{NUMBER!r} is the name of each identity's number", "choose another name")
    return value


class Provision(fields.Part):
    """A request that brings one user's identity, made once for each before the run."""

    post: Annotated[str, fields.accepts(syntax.url)]
    """The address."""
    headers: fields.Looked[fields.Headers] = Field(default_factory=dict)
    """The headers of the request."""
    form: fields.Looked[fields.Flat | None] = None
    """The body, as an HTML form."""
    json_: fields.Looked[Any] = Field(default=None, alias="json")
    """The body, as JSON."""
    take: Annotated[
        dict[Annotated[str, fields.accepts(_taken)], fields.Expression], Field(min_length=1)
    ]
    """Name -> JMESPath into the reply."""
    timeout: fields.PositiveSeconds = 10.0
    """How long one request may take."""
    tls: Tls = Tls()
    """As for an arm."""

    def check(self) -> None:
        if self.form is not None and self.json_ is not None:
            raise InputError("the request has both form and json", "keep one of them")


class Identities(fields.Part):
    """Where the identities of virtual users come from; one row of the file is one user."""

    csv: Annotated[str, Field(min_length=1)] | None = None
    """A file in the scenario's folder, or one that `${env:NAME}` says."""
    provision: Provision | None = None
    """A request that logs a user in, or makes one."""

    def check(self) -> None:
        if self.csv is None and self.provision is None:
            raise InputError("no identities", "write csv: FILE, or provision: {post: URL, take: …}")


@dataclass(frozen=True)
class Rows:
    """A file of identities."""

    file: str
    columns: list[str]
    lines: list[tuple[int, list[str]]]
    """The cells of each row, after the number of its line."""

    def identities(self) -> list[dict[str, Any]]:
        return [
            {**dict(zip(self.columns, row, strict=True)), NUMBER: number}
            for number, (_, row) in enumerate(self.lines, 1)
        ]

    def blank(self, column: str) -> list[int]:
        at = self.columns.index(column)
        return [line for line, row in self.lines if not row[at]]


def read_rows(written: str, env: Mapping[str, str], base: Path) -> Rows:
    """Read the file that `csv` names. Raises InputError."""
    path = named(written, env, base)
    columns, lines = read_table(path)
    _check_table(path.name, columns, lines)
    return Rows(path.name, columns, lines)


def _check_table(file: str, columns: list[str], rows: list[tuple[int, list[str]]]) -> None:
    if not rows:
        hint = "write the names of the columns first, then one row for each user"
        raise InputError(f"{quote(file)} has no rows", hint)
    if NUMBER in columns:
        message = f"{quote(file)} has a column {NUMBER!r}, the name of each identity's number"
        raise InputError(message, "give the column another name")
    if len(set(columns)) < len(columns):
        raise InputError(f"{quote(file)} has two columns with the same name", "rename one of them")
    for line, row in rows:
        if len(row) != len(columns):
            message = f"line {line} of {quote(file)} has {len(row)} values, not {len(columns)}"
            raise InputError(message, "give each row one value per column")


def names_in(tree: Any) -> Iterator[str]:
    """Yield the names that the lookups of identities in a tree ask for; empty for a whole one."""
    if isinstance(tree, str):
        try:
            # What stands in for the environment has no lookups, and fits every name.
            paths = compile_template(VARIABLE.sub("", tree)).paths
        except InputError:
            return
        for path in paths:
            match = _SEGMENT.match(path)
            if match is not None:
                yield match[1]
            elif path.partition("[")[0] == IDENTITY:
                yield ""
    elif isinstance(tree, dict | list | tuple):
        for item in tree.values() if isinstance(tree, dict) else tree:
            yield from names_in(item)
