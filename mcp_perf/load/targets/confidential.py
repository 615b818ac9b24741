"""Secrets that no variable brought, but that are written out in a target's line or in a file.

An address can hold a token in its path or query, a command in the value of a flag, and a file in a
header. Nothing says which of these are secret, so everything that may be is kept out of all output.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from mcp_perf.results.journal.redact import SHORTEST, WORD
from mcp_perf.scenario.loader import Loaded
from mcp_perf.scenario.model.confidential import SOUNDS_SECRET
from mcp_perf.scenario.model.targets import split_target, words
from mcp_perf.scenario.source.yaml_reader import read

_SECRET_NAME: Final = re.compile(
    r"token|secret|passw|pwd|api[_-]?key|access[_-]?key|credential|cookie|^authorization$|jwt",
    re.IGNORECASE,
)
"""Narrower than the one of identities (`SOUNDS_SECRET`): a `key` in arguments is rarely secret."""
_PERSONAL: Final = ("headers", "env", "auth", "provision")
"""Below these keys of a file, nothing is an argument."""
_PERSONAL_NAME: Final = re.compile(f"{_SECRET_NAME.pattern}|{SOUNDS_SECRET.pattern}", re.IGNORECASE)
_REQUEST: Final = ("json", "form")
"""Keys of `provision` below which every word may be a credential."""
_LOOKUP: Final = re.compile(r"\$\{[^}]*\}")
_HEADER: Final = re.compile(r"([\w-]+):\s*(\S.*)")
_OUTCOMES: Final = ("take", "save", "expect")
"""Values below these keys say where a value is found, or what it is expected to be."""
_TOKEN: Final = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w.~+=-]{16,}")
"""A segment of a path that is not a word of a language."""
_MIXED: Final = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[^/.\s]{6,}")
"""After a flag of one dash: not a module, a package or a file, as after `-m` and `-r`."""
_URL: Final = re.compile(r"\w+://.*")
_PLAIN: Final = re.compile(r"[\d.,:]*|true|false|[./~].*", re.IGNORECASE)
"""Values of flags that are never secret: numbers, switches, paths."""


def of_run(loaded: Loaded, settings: Iterable[str], lines: Iterable[str]) -> Iterator[str]:
    """Yield everything to keep secret in a run with these `--set` and these lines of targets."""
    yield from loaded.env.values()
    yield from in_file(read(loaded.text).tree)
    for path, _, value in (setting.partition("=") for setting in settings):
        tree: Any = value
        for key in reversed(path.split(".")):
            tree = {key: tree}
        yield from in_file(tree)
    for line in lines:
        yield from in_target(line)


def in_target(line: str) -> Iterator[str]:
    """Yield the parts of a target's line that may be secret."""
    transport, rest = split_target(line)
    if transport == "stdio":
        yield from _in_command(words(rest))
    elif transport in ("http", "sse"):
        yield from _in_url(rest)


def in_file(tree: Any, secret: re.Pattern[str] = _SECRET_NAME) -> Iterator[str]:
    """Yield the values that a scenario's file has below names that `secret` matches."""
    if isinstance(tree, list):
        for inner in tree:
            yield from in_file(inner, secret)
    elif isinstance(tree, dict):
        for name, inner in tree.items():
            if name in _OUTCOMES:
                continue
            if secret.search(str(name)):
                yield from _literals(inner, SHORTEST)
            if name == "provision" and isinstance(inner, dict):
                yield from _literals([inner.get(part) for part in _REQUEST], WORD)
                yield from _in_url(str(inner.get("post")))
            yield from in_file(inner, _PERSONAL_NAME if name in _PERSONAL else secret)


def _literals(value: Any, shortest: int) -> Iterator[str]:
    """Yield the texts of a value; of a text with lookups, the parts around them."""
    if isinstance(value, str):
        pieces = _LOOKUP.split(value)
        shortest = shortest if len(pieces) == 1 else WORD
        yield from (piece for piece in pieces if len(piece) >= shortest)
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _literals(inner, shortest)
    elif len(str(value)) >= WORD:  # a number: a short one may be a count of tokens
        yield str(value)


def _in_url(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    if parts.password:
        yield f"{unquote(parts.username or '')}:{unquote(parts.password)}"
    yield from map(unquote, filter(None, (parts.password, parts.username)))
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
        elif (header := _HEADER.fullmatch(word)) and _SECRET_NAME.search(header[1]):
            yield header[2]
        elif at + 1 < len(argv) and _takes(word, argv[at + 1]):
            yield from _of_flag(f"{name} ", argv[at + 1])


def _takes(flag: str, value: str) -> bool:
    """Tell whether a word may be the confidential value of the flag before it."""
    if value.startswith("-"):
        return False
    return flag.startswith("--") or (flag.startswith("-") and _MIXED.fullmatch(value) is not None)


def _of_flag(name: str, value: str) -> Iterator[str]:
    if not _PLAIN.fullmatch(value):
        yield from _valued(name, value, _SECRET_NAME.search(name) is not None)


def _valued(name: str, value: str, secret: bool) -> Iterator[str]:
    """Yield a value. If it is short and may not be secret, yield it with its name.

    Otherwise the word would be redacted everywhere.
    """
    if "${" not in value and len(value) >= SHORTEST:
        yield value if secret or len(value) >= WORD else name + value
