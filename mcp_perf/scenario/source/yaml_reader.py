"""Hardened YAML: text to plain dict, list and scalars, with the line of everything.

Reads libyaml's events and builds nothing but plain values, so a file cannot name a type, repeat a
node or grow: no tags, anchors, aliases or merge keys, one document, and caps on everything. The
caps are checked while reading, so a hostile file costs no more than a large honest one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

import yaml
from yaml import events

from mcp_perf.scenario.problems.mistake import Mistake, Path
from mcp_perf.scenario.problems.problem import MOST_SHOWN
from mcp_perf.scenario.problems.wording import InputError, quote
from mcp_perf.scenario.source.yaml_scalars import plain

_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MOST_BYTES: Final = 1024 * 1024
MOST_NODES: Final = 20_000
MOST_DEPTH: Final = 32
LONGEST_KEY: Final = 4096

_NOT_TEXT = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_SYNTAX_HINTS: Final = (
    ("mapping values are not allowed", "indent with blanks, or quote a text that contains ': '"),
    (
        "cannot start any token",
        "indent with blanks, not tabs, and quote a text that starts with this character",
    ),
    ("did not find expected ',' or", "close the brackets, and quote ${…} and […] inside them"),
    ("quoted scalar", "close the quotes"),
)


class UnreadableError(InputError):
    """The text is not YAML, or more than a scenario can be: reading stopped at `line`, from 1."""

    def __init__(self, line: int, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.line = line


@dataclass(frozen=True)
class ParsedFile:
    """What was read: plain values, the line of every path, and what was refused on the way."""

    tree: Any
    lines: dict[Path, int]
    mistakes: list[Mistake] = field(default_factory=list)


def decode(content: bytes) -> str:
    """Decode a file's bytes. Raises UnreadableError for what cannot be YAML text."""
    if len(content) > MOST_BYTES:
        raise UnreadableError(0, "the file is larger than 1 MiB", "move data into a CSV file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnreadableError(line, "the file is not UTF-8", "save it as UTF-8") from None


def read(text: str) -> ParsedFile:
    """Read one YAML document. Raises UnreadableError at a syntax error or beyond a cap."""
    if len(text) > MOST_BYTES:
        raise UnreadableError(0, "the file is larger than 1 MiB", "move data into a CSV file")
    if match := _NOT_TEXT.search(text):
        line = text.count("\n", 0, match.start()) + 1
        message = f"the file contains the control character {match[0]!r}"
        raise UnreadableError(line, message, "remove it, or write it as an escape in quotes")
    return _Reader(text).document()


def _events(text: str) -> Iterator[Any]:
    try:
        yield from yaml.parse(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        context, said = error.context or "", error.problem or "it cannot be read"
        # A quote that is never closed is found at the file's end, but it helps to see where it
        # opens.
        mark = error.context_mark if "quoted" in context else error.problem_mark
        hints = [hint for part, hint in _SYNTAX_HINTS if part in f"{context} {said}"]
        hint = hints[0] if hints else "check the indentation, brackets and quotes above this line"
        line = mark.line + 1 if mark else 0
        raise UnreadableError(line, f"this is not YAML: {said}", hint) from None


class _TooManyError(Exception):
    """Nobody reads more problems than this, so the rest of the text is not read either."""


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


class _Reader:
    def __init__(self, text: str) -> None:
        self._events = _events(text)
        self._lines: dict[Path, int] = {}
        self._mistakes: list[Mistake] = []
        self._nodes = 0

    def document(self) -> ParsedFile:
        next(self._events)  # the start of the stream
        start = next(self._events)
        if isinstance(start, events.StreamEndEvent):
            raise UnreadableError(0, "the file is empty", "start with: name: my-scenario")
        if isinstance(start, events.DocumentStartEvent) and (start.version or start.tags):
            self._refuse((), start, "a % directive", "remove the line")
        tree = None
        try:
            tree = self._node(next(self._events), ())
            self._end()
        except _TooManyError:
            self._mistakes[-1] = replace(self._mistakes[-1], path=(), damaged=True)
        return ParsedFile(tree, self._lines, self._mistakes)

    def _end(self) -> None:
        next(self._events)  # the end of the document
        after = next(self._events)
        if isinstance(after, events.DocumentStartEvent):
            message = "a second document starts here"
            raise UnreadableError(_line(after), message, "keep one, and remove the --- lines")

    def _node(self, event: Any, path: Path) -> Any:
        line = _line(event)
        self._lines.setdefault(path, line)
        self._nodes += 1
        if self._nodes > MOST_NODES:
            hint = "move data into a CSV file"
            raise UnreadableError(line, f"more than {MOST_NODES} values", hint)
        if isinstance(event, events.AliasEvent):
            self._refuse(path, event, f"the alias *{event.anchor}", "write it out", damaged=True)
            return None
        if event.anchor:
            self._refuse(path, event, f"the anchor &{event.anchor}", "remove it")
        if event.tag is not None:
            damaged = isinstance(event, events.ScalarEvent)
            self._refuse(path, event, f"the tag {quote(event.tag)}", "remove it", damaged=damaged)
        if isinstance(event, events.ScalarEvent):
            return self._scalar(event, path)
        if len(path) >= MOST_DEPTH:
            message = f"nested more than {MOST_DEPTH} levels deep"
            raise UnreadableError(line, message, "make it flatter")
        is_mapping = isinstance(event, events.MappingStartEvent)
        return self._mapping(path) if is_mapping else self._sequence(path)

    def _scalar(self, event: Any, path: Path) -> Any:
        if event.style:  # quoted, or a block: always a text
            return event.value
        try:
            return plain(event.value, path)
        except InputError as error:
            self._add(Mistake(path, error.message, error.hint, _line(event), damaged=True))
            return event.value

    def _sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), events.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        items: dict[str, Any] = {}
        while not isinstance(event := next(self._events), events.MappingEndEvent):
            line = _line(event)
            key = self._key(event, path)
            here = (*path, key)
            if key in items:
                message = f"the key {quote(key)} is here twice, first in line {self._lines[here]}"
                self._add(Mistake(here, message, "remove or rename one", line))
                self._skip(here)
            elif key == "<<" and not event.style:
                self._refuse(here, event, "the merge key <<", "write the keys out")
                self._skip(here)
            else:
                self._lines[here] = line
                items[key] = self._node(next(self._events), here)
        return items

    def _key(self, event: Any, path: Path) -> str:
        line = _line(event)
        if isinstance(event, events.AliasEvent):
            self._refuse(path, event, f"the alias *{event.anchor}", "write it out")
            return f"*{event.anchor}"
        if not isinstance(event, events.ScalarEvent):
            raise UnreadableError(line, "a key that is not a single word", "write KEY: VALUE")
        self._nodes += 1
        if event.anchor or event.tag is not None:
            self._refuse(path, event, "an anchor or tag at a key", "remove it")
        if len(event.value) > LONGEST_KEY:
            raise UnreadableError(line, "a key longer than 4 KiB", "write a short name")
        return event.value

    def _skip(self, path: Path) -> None:
        """Read a value that is not kept, with all checks but without its lines."""
        lines, self._lines = self._lines, {}
        self._node(next(self._events), path)
        self._lines = lines

    def _refuse(
        self, path: Path, event: Any, what: str, hint: str, *, damaged: bool = False
    ) -> None:
        line = _line(event)
        message = f"{what} is not allowed in a scenario"
        self._add(Mistake(path, message, hint, line, damaged=damaged))

    def _add(self, mistake: Mistake) -> None:
        self._mistakes.append(mistake)
        if len(self._mistakes) > MOST_SHOWN:
            raise _TooManyError
