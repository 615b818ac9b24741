"""What nobody else is to read, although no variable brought it: in a target's line, and in a file.

An address can hold a token in its path or query, a command in the value of a flag, and a file in a
header. Which of these are secret nobody says, so all that may be is kept out of what is written.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from mcp_perf.results.journal.redact import SHORTEST
from mcp_perf.scenario.loader import Loaded
from mcp_perf.scenario.model.targets import split_target, words
from mcp_perf.scenario.source.yaml_reader import read

_SECRET_NAME: Final = re.compile(
    r"token|secret|passw|pwd|api[_-]?key|access[_-]?key|credential|cookie|^authorization$|jwt",
    re.IGNORECASE,
)
"""Narrower than that of identities (`SOUNDS_SECRET`): many a `key` of an argument is none."""
_OUTCOMES: Final = ("take", "save", "expect")
"""What stands below these says where a value is found, or what it is to be."""
_WORD: Final = 8
"""A shorter value is redacted with its name alone: everywhere, it would garble reports."""
_TOKEN: Final = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w.~+=-]{16,}")
"""A segment of a path that is nobody's word."""
_URL: Final = re.compile(r"\w+://.*")
_PLAIN: Final = re.compile(r"[\d.,:]*|true|false|[./~].*", re.IGNORECASE)
"""Values of flags that tell nothing: numbers, switches, paths."""


def of_run(loaded: Loaded, settings: Iterable[str], lines: Iterable[str]) -> Iterator[str]:
    """Yield all that is to appear nowhere of a run with these `--set` and lines of targets."""
    yield from loaded.env.values()
    yield from in_file(read(loaded.text).tree)
    for path, _, value in (setting.partition("=") for setting in settings):
        yield from in_file({path.rpartition(".")[2]: value})
    for line in lines:
        yield from in_target(line)


def in_target(line: str) -> Iterator[str]:
    """Yield what may be secret in the line of a target."""
    transport, rest = split_target(line)
    if transport == "stdio":
        yield from _in_command(words(rest))
    elif transport in ("http", "sse"):
        yield from _in_url(rest)


def in_file(tree: Any) -> Iterator[str]:
    """Yield the values of a scenario's file that are written out below a name of a secret."""
    if isinstance(tree, dict):
        for name, inner in tree.items():
            if name in _OUTCOMES:
                continue
            if isinstance(inner, str) and _SECRET_NAME.search(str(name)) and "${" not in inner:
                yield inner.removeprefix("Bearer ")
            yield from in_file(inner)
    elif isinstance(tree, list):
        for inner in tree:
            yield from in_file(inner)


def _in_url(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    yield from filter(None, (parts.password, parts.username))
    for name, value in parse_qsl(parts.query):
        yield from _valued(f"{name}=", value, _SECRET_NAME.search(name) is not None)
    yield from (part for part in map(unquote, parts.path.split("/")) if _TOKEN.fullmatch(part))


def _in_command(argv: Sequence[str]) -> Iterator[str]:
    for at, word in enumerate(argv):
        name, equals, value = word.partition("=")
        if url := _URL.search(word):
            yield from _in_url(url[0])
        elif equals:
            yield from _of_flag(f"{name}=", value)
        elif word.startswith("--") and at + 1 < len(argv) and not argv[at + 1].startswith("-"):
            yield from _of_flag(f"{name} ", argv[at + 1])


def _of_flag(name: str, value: str) -> Iterator[str]:
    if not _PLAIN.fullmatch(value):
        yield from _valued(name, value, _SECRET_NAME.search(name) is not None)


def _valued(name: str, value: str, secret: bool) -> Iterator[str]:
    if "${" not in value and len(value) >= SHORTEST:
        yield value if secret or len(value) >= _WORD else name + value
