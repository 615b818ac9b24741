"""Lookups: `${name}` in the strings of a scenario, compiled once and filled in before each call.

There is no expression, no filter and no call: a lookup names a value, or a path into one. Rendering
is on the hot path of every call, so a template is a tree of closures over plain containers, and the
missing name is looked for only after something failed.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from operator import itemgetter
from typing import Any, Final

from mcp_perf.scenario.problems.suggestions import suggest
from mcp_perf.scenario.problems.wording import InputError, quote

Values = Mapping[str, Any]
Render = Callable[[Values], Any]

NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_TOKEN = re.compile(r"\$\$\{|\$\{(?:([^{}]*)\})?")
_PATH = re.compile(r"([A-Za-z_]\w*)((?:\.[A-Za-z_][\w-]*|\[\d{1,9}\])*)", re.ASCII)
_SEGMENT = re.compile(r"\.([\w-]+)|\[(\d+)\]", re.ASCII)
_ENV = "env:"
MOST_CHARACTERS: Final = 4 * 1024 * 1024
"""The longest text with lookups in it: the largest request that the official servers take.
Templates that use each other could make a text that no memory holds."""
_AS_THEY_ARE = frozenset((str, int))
"""Types that an f-string writes as JSON would, but for the quotes. Exact types: True is an int."""


class LookupFailed(LookupError):  # noqa: N818 -- a lookup failed, not the program
    """A lookup found no value when a call was built; `name` is the text between its braces."""

    def __init__(self, name: str) -> None:
        super().__init__(f"${{{name}}} has no value")
        self.name = name


class TooLong(ValueError):  # noqa: N818 -- a bound, not a fault of the program
    """A template makes a text that no server would take."""

    def __init__(self) -> None:
        super().__init__(f"a template makes a text of more than {MOST_CHARACTERS} characters")


class _Lookup:
    __slots__ = ("get", "root", "text")

    def __init__(self, text: str) -> None:
        match = _PATH.fullmatch(text)
        if match is None:
            hint = "write ${name}, ${name.path[0].x} or ${env:NAME}; $${ is a literal ${"
            raise InputError(f"{quote('${' + text + '}')} is not the name of a value", hint)
        self.text = text
        self.root = match[1]
        path = [segment[1] or int(segment[2]) for segment in _SEGMENT.finditer(match[2])]
        self.get: Render = _follow(self.root, path) if path else itemgetter(self.root)

    def fails(self, values: Values) -> bool:
        try:
            self.get(values)
        except (LookupError, TypeError):
            return True
        return False


class Template:
    """A JSON-like tree, ready to be filled in.

    `constant` is true if it only looks up the environment; `names` are the values that it needs.
    """

    __slots__ = ("_lookups", "_render", "constant", "names")

    def __init__(self, render: Render, lookups: tuple[_Lookup, ...]) -> None:
        self._render = render
        self._lookups = lookups
        self.constant = not lookups
        self.names = frozenset(lookup.root for lookup in lookups)

    @property
    def paths(self) -> list[str]:
        return [lookup.text for lookup in self._lookups]

    def render(self, values: Values) -> Any:
        """Fill in the values; containers are new, looked-up values are inserted as they are.

        Raises LookupFailed if a name is unknown or its value does not have the path.
        """
        try:
            return self._render(values)
        except (LookupError, TypeError):
            failed = next(lookup for lookup in self._lookups if lookup.fails(values))
            raise LookupFailed(failed.text) from None


def compile_template(tree: Any, env: Mapping[str, str] | None = None) -> Template:
    """Compile a tree of dict, list and scalars whose strings may hold lookups.

    `env` holds the variables that `${env:NAME}` may read; they are inserted now. Raises
    InputError.
    """
    compiler = _Compiler(env or {})
    return Template(compiler.node(tree), tuple(compiler.lookups))


class _Compiler:
    """Walks a tree once; collects its lookups in the order in which they are rendered."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.lookups: list[_Lookup] = []

    def node(self, tree: Any) -> Render:
        part = self._part(tree)
        return part if callable(part) else lambda _values: part

    def _part(self, tree: Any) -> Any:
        """Return what renders the tree, or the tree itself if it is a scalar without lookups."""
        if isinstance(tree, str):
            return self._string(tree)
        if isinstance(tree, dict):
            for key in tree:
                if "${" in key:
                    message = f"the key {quote(key)} contains ${{…}}"
                    raise InputError(message, "use ${…} in values only")
            return _container({key: self._part(value) for key, value in tree.items()})
        if isinstance(tree, list | tuple):
            return _container([self._part(item) for item in tree])
        return tree

    def _string(self, text: str) -> Any:
        if "${" not in text:
            return text
        # A text, then pairs of a lookup and the text that follows it.
        head, pairs = "", list[tuple[_Lookup, str]]()
        for piece in self._pieces(text):
            if isinstance(piece, _Lookup):
                pairs.append((piece, ""))
            elif pairs:
                pairs[-1] = (pairs[-1][0], pairs[-1][1] + piece)
            else:
                head += piece
        self.lookups += [lookup for lookup, _ in pairs]
        if not pairs:
            return head
        if len(pairs) == 1 and not head and not pairs[0][1]:
            return pairs[0][0].get
        return _inserted(head, tuple((lookup.get, after) for lookup, after in pairs))

    def _pieces(self, text: str) -> Iterator[str | _Lookup]:
        at = 0
        for token in _TOKEN.finditer(text):
            yield text[at : token.start()]
            at = token.end()
            if token[0] == "$${":
                yield "${"
            elif token[1] is None:
                rest = text[token.start() :]  # what comes before may be secret
                raise InputError(f"{quote(rest)} has ${{ without a closing }}", "add a }")
            elif token[1].startswith(_ENV):
                yield self._variable(token[1].removeprefix(_ENV))
            else:
                yield _Lookup(token[1])
        yield text[at:]

    def _variable(self, name: str) -> str:
        if name not in self._env:
            near = suggest(name, self._env)
            hint = f"add env: [{name}] to the scenario" + (f", or {near}" if near else "")
            raise InputError(
                f"the scenario does not list the environment variable {quote(name)}", hint
            )
        return self._env[name]


def _follow(root: str, path: list[str | int]) -> Render:
    def get(values: Values) -> Any:
        value = values[root]
        for segment in path:
            value = value[segment]
        return value

    return get


def _container(parts: Any) -> Render:
    """Copy a dict or list, then set what has to be rendered: everything but the loop is in C."""
    pairs = parts.items() if isinstance(parts, dict) else enumerate(parts)
    dynamic = tuple((key, part) for key, part in pairs if callable(part))
    if not dynamic:
        copy: Callable[[], Any] = parts.copy
        return lambda _values: copy()

    def render(values: Values) -> Any:
        result = parts.copy()
        for key, part in dynamic:
            result[key] = part(values)
        return result

    return render


def _inserted(head: str, pairs: tuple[tuple[Render, str], ...]) -> Render:
    def render(values: Values) -> str:
        text = head
        for get, after in pairs:
            value = get(values)
            # The f-string is twice as fast as a % pattern or a join.
            text = f"{text}{value if type(value) in _AS_THEY_ARE else _as_json(value)}{after}"
            if len(text) > MOST_CHARACTERS:
                raise TooLong
        return text

    return render


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
