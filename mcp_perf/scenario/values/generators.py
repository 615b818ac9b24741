"""Value generators: what `with:` draws anew for every journey.

Draws are seeded per virtual user, so a run can be repeated; `seq` is the only value that is unique
across all users, because it comes from a counter that they share.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from math import gcd
from pathlib import Path
from typing import Any, Final

from mcp_perf.scenario.problems.suggestions import nearest, suggest
from mcp_perf.scenario.problems.wording import InputError, one_of, quote
from mcp_perf.scenario.values.files import inside, read_table
from mcp_perf.scenario.values.templates import compile_template
from mcp_perf.scenario.values.units import is_number

BUILTINS: Final = frozenset(("seq", "user", "arm", "run"))
IDENTITY: Final = "identity"
"""Known if the scenario has `identities`."""

Draw = Callable[[dict[str, Any]], Any]
Make = Callable[[int, random.Random], Draw]

_WIDEST: Final = 2**53
"""A draw has 53 random bits; JSON numbers are exact up to the same size."""


_UNUSED: Final = random.Random(0)
"""A generator of random numbers weighs 2.5 kB; users who draw none share this one."""


@dataclass(frozen=True)
class _Source:
    env: Mapping[str, str]
    base: Path


@dataclass(frozen=True)
class ValueGenerator:
    """One name of `with:`: how to make its draw for a user, and which names it reads."""

    make: Make
    names: frozenset[str] = frozenset()
    draws: bool = False
    """True if it uses the user's random numbers."""


@dataclass(frozen=True)
class Generators:
    """All names of one `with:`, in the order in which they can be filled in."""

    seed: int
    entries: Mapping[str, ValueGenerator] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """The names that the entries read, their own included."""
        return frozenset().union(*(entry.names for entry in self.entries.values()))

    def for_user(self, user: int, counter: Callable[[], int]) -> "Filler":
        """Return what fills in one user's values.

        `counter` gives the next number of the whole run, from 1, and is called once per journey.
        """
        draws = any(entry.draws for entry in self.entries.values())
        # Seeding with a text goes through SHA-512: equal in every process, unlike hash().
        numbers = random.Random(f"{self.seed}/{user}") if draws else _UNUSED
        made = [(name, entry.make(user, numbers)) for name, entry in self.entries.items()]
        return Filler(user, counter, made)


@dataclass(frozen=True, slots=True)
class Filler:
    """Fills a dict of values for one user's next journey: `user`, `seq`, then the generators.

    `arm`, variables of the arm and the like are already in the dict if a template reads them.
    """

    user: int
    counter: Callable[[], int]
    draws: list[tuple[str, Draw]]

    def __call__(self, values: dict[str, Any]) -> None:
        """Draw the next values. Raises LookupFailed if a template reads an unknown name."""
        values["user"] = self.user
        values["seq"] = self.counter()
        for name, draw in self.draws:
            values[name] = draw(values)


def compile_generators(
    with_: Mapping[str, Any], *, seed: int, env: Mapping[str, str], base: Path
) -> Generators:
    """Compile the entries of `with:`: generators, and constants.

    `env` holds the variables that may be read, `base` is the folder that files are looked up in.
    Raises InputError at the first mistake.
    """
    entries = {name: compile_one(spec, env, base) for name, spec in with_.items()}
    reads = {name: entry.names & entries.keys() for name, entry in entries.items()}
    try:
        order = list(TopologicalSorter(reads).static_order())
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        message = f"the templates need each other: {circle}"
        raise InputError(message, "remove one of these references") from None
    return Generators(seed, {name: entries[name] for name in order})


def compile_one(spec: Any, env: Mapping[str, str], base: Path) -> ValueGenerator:
    """Compile one entry of `with:`. Raises InputError."""
    source = _Source(env, base)
    if not isinstance(spec, dict):
        return _constant(spec, source)
    kinds = [key for key in spec if key in _KINDS]
    if kinds and len(spec) > 1:
        hint = f"write {{{kinds[0]}: …}} alone"
        raise InputError(f"a generator has one key, not {one_of(map(repr, spec))}", hint)
    if kinds:
        return _KINDS[kinds[0]](spec[kinds[0]], source)
    if len(spec) == 1 and (near := nearest(next(iter(spec)), _KINDS)):
        raise InputError(f"unknown generator {quote(next(iter(spec)))}", f"did you mean {near!r}?")
    return _constant(spec, source)


def _literal(value: Any, source: _Source) -> Any:
    template = compile_template(value, source.env)
    if not template.constant:
        name = min(template.names)
        hint = 'write {template: "…"} around the text'
        raise InputError(f"${{{name}}} is used in a value that is constant", hint)
    return template.render({})


def _constant(value: Any, source: _Source) -> ValueGenerator:
    fixed = _literal(value, source)
    return ValueGenerator(lambda _user, _numbers: lambda _values: fixed)


def _drawn(draw_with: Callable[[Callable[[], float]], Draw]) -> ValueGenerator:
    """Return a generator that draws with a user's `random`."""
    return ValueGenerator(lambda _user, numbers: draw_with(numbers.random), draws=True)


def _one_of(value: Any, source: _Source) -> ValueGenerator:
    if not isinstance(value, list) or not value:
        raise InputError(f"one_of needs a list, not {quote(value)}", "write {one_of: [a, b]}")
    items = _literal(value, source)
    count = len(items)
    # random.choice takes five times as long.
    return _drawn(lambda random_: lambda _values: items[int(random_() * count)])


def _int(value: Any, _source: _Source) -> ValueGenerator:
    low, high = _bounds("int", value)
    if not isinstance(low, int) or not isinstance(high, int):
        raise InputError("int needs whole numbers", "write {int: {min: 1, max: 6}}, or use float")
    width = high - low + 1
    if width > _WIDEST:
        raise InputError("the range of int is too wide", "write min and max at most 2^53 apart")
    return _drawn(lambda random_: lambda _values: low + int(random_() * width))


def _float(value: Any, _source: _Source) -> ValueGenerator:
    low, high = _bounds("float", value)
    width = high - low
    return _drawn(lambda random_: lambda _values: low + random_() * width)


def _uuid(value: Any, _source: _Source) -> ValueGenerator:
    if value != {}:
        raise InputError(f"uuid takes no options, not {quote(value)}", "write {uuid: {}}")

    def make(_user: int, numbers: random.Random) -> Draw:
        bits = numbers.getrandbits

        def draw(_values: dict[str, Any]) -> str:
            # Version 4, variant 1 (RFC 9562, section 5.4); uuid.UUID costs three times as much.
            text = f"{bits(128):032x}"
            variant = "89ab"[int(text[16], 16) & 3]
            return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"

        return draw

    return ValueGenerator(make, draws=True)


def _seq(value: Any, _source: _Source) -> ValueGenerator:
    options = _options("seq", value, {"start": 1, "step": 1})
    start, step = options["start"], options["step"]
    if not all(isinstance(n, int) and not isinstance(n, bool) for n in (start, step)) or not step:
        hint = "write {seq: {start: 1, step: 1}}"
        raise InputError("seq needs whole numbers, and a step that is not 0", hint)
    first = start - step
    return ValueGenerator(lambda _user, _numbers: lambda values: first + step * values["seq"])


def _template(value: Any, source: _Source) -> ValueGenerator:
    if not isinstance(value, str):
        hint = 'write {template: "Test ${seq}"}'
        raise InputError(f"template needs a text, not {quote(value)}", hint)
    template = compile_template(value, source.env)
    return ValueGenerator(lambda _user, _numbers: template.render, template.names)


def _csv(value: Any, source: _Source) -> ValueGenerator:
    options = _options("csv", value, {"file": None, "column": None})
    file, column = options["file"], options["column"]
    if not isinstance(file, str) or not isinstance(column, str):
        raise InputError("csv needs a file and a column", "write {csv: {file: a.csv, column: b}}")
    cells = _column(inside(source.base, file), column)
    count = len(cells)
    # Users start far from each other, and no two of the first `count` at the same row.
    stride = next(n for n in range(round(count * 0.618) or 1, 2 * count) if gcd(n, count) == 1)

    def make(user: int, _numbers: random.Random) -> Draw:
        row = user * stride % count

        def draw(_values: dict[str, Any]) -> str:
            nonlocal row
            cell = cells[row]
            row = (row + 1) % count
            return cell

        return draw

    return ValueGenerator(make)


def _env(value: Any, source: _Source) -> ValueGenerator:
    if not isinstance(value, str):
        raise InputError(f"env needs a name, not {quote(value)}", "write {env: NAME}")
    return _constant(f"${{env:{value}}}", source)


_KINDS: Final[Mapping[str, Callable[[Any, _Source], ValueGenerator]]] = {
    "one_of": _one_of,
    "int": _int,
    "float": _float,
    "uuid": _uuid,
    "seq": _seq,
    "template": _template,
    "csv": _csv,
    "env": _env,
}


def _options(kind: str, value: Any, defaults: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(value, dict):
        hint = f"write {{{kind}: {{{', '.join(f'{name}: …' for name in defaults)}}}}}"
        raise InputError(f"{kind} takes options, not {quote(value)}", hint)
    for name in value:
        if name not in defaults:
            raise InputError(f"unknown option {quote(name)} of {kind}", suggest(name, defaults))
    return {**defaults, **value}


def _bounds(kind: str, value: Any) -> tuple[Any, Any]:
    options = _options(kind, value, {"min": None, "max": None})
    low, high = options["min"], options["max"]
    if not is_number(low) or not is_number(high):
        raise InputError(f"{kind} needs min and max", f"write {{{kind}: {{min: 1, max: 6}}}}")
    if low > high:
        raise InputError(f"min {low} is above max {high} in {kind}", "exchange them")
    return low, high


def _column(path: Path, column: str) -> list[str]:
    names, lines = read_table(path)
    rows = [row for _, row in lines]
    if column not in names:
        message = f"{quote(path.name)} has no column {quote(column)}"
        hint = suggest(column, names) or "write the names of the columns in the first row"
        raise InputError(message, hint)
    at = names.index(column)
    if not rows or any(len(row) <= at for row in rows):
        message = f"{quote(path.name)} has no rows, or a row without {quote(column)}"
        raise InputError(message, "give every row a value")
    return [row[at] for row in rows]
