"""How an arm's target is written, and the one line that replaces it everywhere else.

Such a line is a URL, `system:NAME/FACE`, `sse:URL`, `stdio:COMMAND` with its words quoted as for a
shell (no shell ever runs it), or `python:MODULE:OBJECT`.
"""

import re
import shlex
from collections.abc import Callable
from typing import Any, Final, Literal, get_args
from urllib.parse import urlsplit

from mcp_perf.scenario.model.fields import Flag, Part
from mcp_perf.scenario.model.syntax import CONTROL, HOST, address
from mcp_perf.scenario.problems.wording import InputError, one_of, quote

Transport = Literal["http", "system", "sse", "stdio", "python"]
LOCAL_CODE: Final = ("stdio", "python")
"""Transports that run code of this machine, with the rights of whoever starts the run."""

_OBJECT = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)?", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Tls(Part):
    """How the target's certificate is checked, and which one is shown to it."""

    verify: Flag = True
    """Whether certificates are checked."""
    ca: str | None = None
    """A file with certificates to trust: in the scenario's folder, or where `${env:NAME}` says."""
    cert: str | None = None
    """A file with the certificate of the client, and its chain."""
    key: str | None = None
    """A file with its private key, without a password, if it is not in the same one."""

    @property
    def files(self) -> dict[str, str]:
        """The files that are named, by their keys."""
        named = {key: getattr(self, key) for key in ("ca", "cert", "key")}
        return {key: file for key, file in named.items() if isinstance(file, str)}

    def check(self) -> None:
        if self.key is not None and self.cert is None:
            raise InputError("tls has a key but no certificate", "write cert: FILE")
        if self.ca is not None and not self.verify:
            useless = "verify: false does not check certificates, so ca has no effect"
            raise InputError(useless, "keep one")


def split_target(line: str) -> tuple[Transport, str]:
    """Split a line into its transport and what is called."""
    scheme, _, rest = line.partition(":")
    if scheme in ("http", "https", "http+unix"):
        return "http", line
    transport: Transport = next(known for known in get_args(Transport) if known == scheme)
    return transport, rest


def hostname(line: str) -> str:
    """Return the host that a line leads to; empty if it leads to code of this machine."""
    transport, rest = split_target(line)
    if rest.startswith("http+unix:"):
        return "localhost"
    return (urlsplit(rest).hostname or "") if transport in ("http", "sse") else ""


def words(command: str) -> tuple[str, ...]:
    """Split the command of a `stdio` line into words."""
    return tuple(shlex.split(command))


def read_target(line: str) -> str:
    """Accept such a line, as `--target` takes it: a URL is tried as it is. Raises InputError."""
    scheme, _, rest = line.partition(":")
    if scheme == "stdio":
        try:
            return _stdio(shlex.split(rest))
        except ValueError as error:
            raise InputError(f"{quote(rest)} cannot be read: {error}", "close the quote") from None
    read = {"sse": _sse, "python": python_object}.get(scheme)
    if read is not None:
        return read(rest)
    if scheme not in ("http", "https", "http+unix", "system") or not rest:
        missing = HOST.match(line)
        hint = f"http:// is missing: write ARM=http://{line}" if missing else "write ARM=URL"
        if line.endswith(".json"):
            hint = f"for servers of an MCP client: run --from {line}"
        raise InputError(f"{quote(line)} is not a target", hint)
    return line


def mcp_target(value: Any) -> str:
    """Accept the value of `mcp:`: an address, or a mapping that names another transport."""
    if not isinstance(value, dict):
        return address(value)
    if len(value) != 1 or not value.keys() <= _TRANSPORTS.keys():
        what = one_of(value) if value else quote(value)
        hint = "write {sse: URL}, {stdio: [COMMAND, ARGUMENT]} or {python: MODULE:OBJECT}"
        raise InputError(f"a target by {what} is not known", hint)
    [(transport, target)] = value.items()
    return _TRANSPORTS[transport](target)


def python_object(value: Any) -> str:
    """Accept MODULE or MODULE:OBJECT."""
    if not isinstance(value, str) or not _OBJECT.fullmatch(value):
        raise InputError(f"{quote(value)} is not a Python object", "write MODULE:OBJECT")
    return f"python:{value}"


def environment(value: dict[str, str]) -> dict[str, str]:
    """Accept environment variables; what they hold may be secret, so it is never quoted."""
    for name, content in value.items():
        if not _VARIABLE.fullmatch(name):
            raise InputError(f"{quote(name)} is not a variable's name", "write it like API_KEY")
        if "\0" in content:
            raise InputError(f"{name} contains a NUL character", "remove it")
    return value


def _stdio(value: Any) -> str:
    hint = "write a list of texts: [npx, -y, server]"
    if not isinstance(value, list) or not value:
        raise InputError(f"{quote(value)} is not a command", hint)
    for word in value:
        if not isinstance(word, str) or CONTROL.search(word):
            raise InputError(f"{quote(word)} is not a word of a command", hint)
        if "${" in word:
            hint = "pass it in env of the arm, because everybody can read a command line"
            raise InputError("a command cannot contain ${…}", hint)
    if not value[0]:
        raise InputError("the command is empty", hint)
    return f"stdio:{shlex.join(value)}"


def _sse(value: Any) -> str:
    line = address(value)
    if line.startswith("system:"):
        raise InputError("bundled systems do not have HTTP+SSE", "write mcp: system:NAME/mcp")
    return f"sse:{line}"


_TRANSPORTS: Final[dict[str, Callable[[Any], str]]] = {
    "sse": _sse,
    "stdio": _stdio,
    "python": python_object,
}
