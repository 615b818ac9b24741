"""How single values are written: names, addresses, paths, headers. Each check raises InputError."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions

from mcp_perf.scenario.model import gates
from mcp_perf.scenario.problems.suggestions import suggest
from mcp_perf.scenario.problems.wording import InputError, quote
from mcp_perf.scenario.values.generators import BUILTINS, IDENTITY
from mcp_perf.scenario.values.patterns import compile_pattern
from mcp_perf.scenario.values.templates import NAME
from mcp_perf.scenario.values.units import fraction, positive_seconds, seconds

_SYSTEM = re.compile(
    r"system:[a-z0-9_-]+/[a-z0-9_-]+(\?[a-z_.-]+=[^\s&=?]+(&[a-z_.-]+=[^\s&=?]+)*)?"
)
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""A header's name: RFC 9110, section 5.6.2."""
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LONGEST_EXPRESSION: Final = 1024
HOST: Final = re.compile(r"(localhost|[\w-]+(\.[\w-]+)+|[\w-]+:\d+)([:/]|$)", re.ASCII)
"""How an address begins whose http:// is missing."""
_BLANK_OR_CONTROL = re.compile(r"[\x00-\x20\x7f]")


def _like(pattern: str, what: str, hint: str) -> Callable[[str], str]:
    def accept(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise InputError(f"{quote(value)} is not {what}", hint)
        return value

    return accept


scenario_name: Final = _like(
    r"[a-z0-9]+(-[a-z0-9]+)*",
    "a scenario name",
    "write lower-case words joined by dashes, like twilio-tasks",
)
label: Final = _like(
    r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", "a name", "write letters, digits, dashes and underscores"
)
"""The name of an arm or a journey."""
host: Final = _like(
    r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?",
    "a host",
    "write it like mcp.internal or mcp.internal:8000",
)
"""The value of a Host header."""


def identifier(value: str) -> str:
    """Accept what can be used in `${…}`."""
    if not NAME.fullmatch(value):
        hint = "write letters, digits and underscores, like area_code"
        raise InputError(f"{quote(value)} is not a name for a value", hint)
    if value in BUILTINS or value == IDENTITY:
        raise InputError(f"{value!r} is a built-in name", "choose another name")
    return value


def address(value: Any) -> str:
    """Accept a URL or `system:NAME/FACE`."""
    hint = "write http://HOST:PORT/PATH, https://…, http+unix://%2FFILE/PATH or system:NAME/FACE"
    if isinstance(value, str) and _SYSTEM.fullmatch(value):
        return value
    login = "send them in headers, like Authorization: Basic ${env:LOGIN}"
    return url(value, hint, login, ("http", "https", "http+unix"))


def url(
    value: Any,
    hint: str = "write http://HOST:PORT/PATH or https://…",
    login: str = "use a proxy without a login",
    schemes: Collection[str] = ("http", "https"),
) -> str:
    """Accept an address of HTTP, written out; the hints are for a bad one, and one with a login."""
    if not isinstance(value, str):
        raise InputError(f"{quote(value)} is not an address", hint)
    if "${" in value:
        itself = "write the address itself, or set it with --target ARM=URL"
        raise InputError("an address cannot contain ${…}", itself)
    if not value.isascii():
        strange = f"{quote(value)} contains a letter that is not allowed in an address"
        raise InputError(strange, "percent-encode it (ł is %C5%82), or write xn--… in a host name")
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    else:
        if parts.username is not None:
            raise InputError("an address cannot contain a user and password", login)
    if not host or parts.scheme not in schemes or _BLANK_OR_CONTROL.search(value):
        shorter = f"http:// is missing: write http://{value}" if HOST.match(value) else hint
        raise InputError(f"{quote(value)} is not an address", shorter)
    return value


def proxy(value: str) -> str:
    """Accept the address of a proxy."""
    login = "send it in headers, like Proxy-Authorization: Basic ${env:LOGIN}"
    return url(value, "write http://HOST:PORT", login, ("http",))


def http_path(value: str) -> str:
    """Accept the path of a request, which may hold lookups."""
    if not value.startswith("/"):
        hint = "write only the path, /…: the host comes from the arm"
        hint = hint if "://" in value else f"write /{value}"
        raise InputError(f"{quote(value)} does not start with /", hint)
    if "#" in value or _BLANK_OR_CONTROL.search(value):
        hint = "write %20 for a blank and %23 for #"
        raise InputError(f"{quote(value)} contains a blank or #, which a path cannot contain", hint)
    return value


def tool(value: str) -> str:
    """Accept the name of an MCP tool."""
    if not value or CONTROL.search(value):
        raise InputError(f"{quote(value)} is not a tool's name", "write it as tools/list shows it")
    if "${" in value:
        raise InputError("a tool's name cannot contain ${…}", "write one step for each tool")
    return value


def headers(value: dict[str, str]) -> dict[str, str]:
    """Accept headers: no line ends, so that no second header can hide in one."""
    for name, content in value.items():
        if not _TOKEN.fullmatch(name):
            raise InputError(f"{quote(name)} is not a header's name", "write it like X-Request-Id")
        # What a header holds may be secret, so it is never quoted.
        if CONTROL.search(content):
            hint = "write it in one line, without control characters"
            raise InputError(f"the header {name} contains a line end or control character", hint)
    return value


def flat(value: dict[str, Any]) -> dict[str, Any]:
    """Accept what a query or form can carry: scalars, and lists of them."""
    for name, content in value.items():
        items = content if isinstance(content, list) else [content]
        if any(item is None or isinstance(item, dict | list) for item in items):
            hint = "write a text, a number, true or false, or a list of these"
            raise InputError(f"{name} cannot be {quote(content)} here", hint)
    return value


def each_once(value: tuple[str, ...]) -> tuple[str, ...]:
    """Accept names of lists, each of them once."""
    if len(set(value)) != len(value):
        raise InputError("a list is named twice", "write each once")
    return value


def uri(value: str) -> str:
    """Accept the address of a resource, which may hold lookups."""
    if not value or CONTROL.search(value):
        raise InputError(f"{quote(value)} is not a resource's URI", "write it like file:///a.txt")
    return value


def http_status(value: int) -> int:
    """Accept the status of an HTTP reply."""
    if not 100 <= value <= 599:
        raise InputError(f"{value} is not an HTTP status", "write one from 100 to 599")
    return value


def expression(value: str) -> str:
    """Accept a JMESPath whose functions exist."""
    if len(value) > _LONGEST_EXPRESSION:
        raise InputError(f"{quote(value)} is longer than 1 KiB", "write a shorter JMESPath")
    try:
        parsed = jmespath.compile(value).parsed
    except JMESPathError as error:
        hint = "JMESPath has no leading $: " if value.startswith("$") else ""
        hint += "write it like structuredContent.items[0].id"
        said = str(error).splitlines()[0]
        raise InputError(f"{quote(value)} is not JMESPath: {said}", hint) from None
    except RecursionError:
        hint = "write a simpler JMESPath"
        raise InputError(f"{quote(value)} is nested too deeply", hint) from None
    for name in _functions(parsed):
        if name not in Functions.FUNCTION_TABLE:
            hint = suggest(name, Functions.FUNCTION_TABLE)
            raise InputError(f"JMESPath has no function {quote(name)}", hint)
    return value


def pattern(value: str) -> str:
    """Accept a regular expression that cannot hang."""
    compile_pattern(value)
    return value


def number(value: Any) -> Any:
    """Accept a number, or a lookup of one."""
    is_lookup = isinstance(value, str) and "${" in value
    if is_lookup or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    hint = "write a number, or a saved value like ${count}"
    raise InputError(f"{quote(value)} is not a number", hint)


def _functions(node: Mapping[str, Any]) -> Iterator[str]:
    """Yield the functions that an expression calls; compiling does not check them."""
    if node["type"] == "function_expression":
        yield node["value"]
    for child in node["children"]:
        if isinstance(child, dict):
            yield from _functions(child)


class Think(NamedTuple):
    """The pause between two journeys of a user, in seconds: drawn evenly between the two."""

    min: float
    max: float


def think(value: Any) -> Think:
    """Read a pause: one duration, or the two to draw between."""
    if not isinstance(value, dict):
        return Think(seconds(value), seconds(value))
    if value.keys() != {"min", "max"}:
        raise InputError("think needs min and max", "write {min: 1s, max: 3s}, or one duration")
    result = Think(seconds(value["min"]), seconds(value["max"]))
    if result.min > result.max:
        raise InputError(f"min {value['min']} is above max {value['max']}", "exchange them")
    return result


class Abort(NamedTuple):
    """When a run ends early: this share of an arm's calls failed, for so many seconds."""

    failures: float
    for_s: float


def abort(value: Any) -> Abort | None:
    """Read when a run ends early; `off` is never."""
    if value is False or value == "off":
        return None
    if not isinstance(value, dict) or value.keys() != {"failures", "for"}:
        hint = "write {failures: 95%, for: 10s}, or abort: off"
        raise InputError("abort needs failures and for", hint)
    return Abort(fraction(value["failures"]), positive_seconds(value["for"]))


def gate(value: Any) -> gates.Gate:
    """Read a gate."""
    if not isinstance(value, str):
        raise InputError(f"{quote(value)} is not a gate", "write it like mcp.p95 < 200ms")
    return gates.parse(value)
