"""Provider files: their schema, and reading them. Everything about the YAML's shape lives here."""

import difflib
import re
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import yaml

from mcp_targets.serving.faults import Rates
from mcp_targets.serving.service_time import read

FOLDER: Final = Path(__file__).parent / "providers"


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a provider file; unknown keys are refused."""


class Input(Part, frozen=True):
    """A field that a request may carry, in its query, its form or its JSON object."""

    type: Literal["string", "integer", "boolean"] = "string"
    matches: str | None = None
    """A regular expression that must match the whole value."""
    max_length: int | None = None
    default: Any = None
    """A template for a missing value. It may use path parameters and earlier inputs."""
    required: str | None = None
    """The error if the value is missing."""
    error: str | None = None
    """The error if the value is wrong."""


class Propose(Part, frozen=True):
    """Hand out new values as records: a stock that is generated on demand."""

    value: str
    """A template with `${serial}`."""
    record: Any
    """A template with `${value}`."""
    avoid: str
    """The collection whose unique values are taken."""
    last: int
    first: int = 1
    per: list[str] = []
    """The inputs whose combinations each have their own series."""
    count: int = 1


class Auth(Part, frozen=True):
    """What a request must carry. Without it, the answer is the error `unauthorized`."""

    header: str = ""
    """In lower case."""
    query: str = ""
    value: str = ""
    tokens: bool = False
    """The header carries a token that a route with `issue_token_s` issued."""


class RateLimit(Part, frozen=True):
    """At most `requests` in a burst, refilled over `per_s` seconds; per account."""

    requests: int
    per_s: float


class Route(Part, frozen=True):
    """One operation of the provider: at most one of its actions touches state."""

    request: str
    """Method and path, such as `POST /v1/things/{id}`."""
    input: dict[str, Input] = {}
    propose: Propose | None = None
    insert: str | None = None
    """The collection to add `record` to."""
    list: str | None = None
    """The collection to list, newest first, one page at a time."""
    find: str | None = None
    """The collection that has the record of the path's `id`."""
    update: str | None = None
    """The same; every field of `record` that is not null replaces the stored one."""
    issue_token_s: float | None = None
    """Answers with a token that is valid for this long. Requests need no credentials."""
    new_id: str | None = None
    """The prefix of a fresh identifier, `${id}`."""
    record: Any = None
    status: int = 200
    body: Any = "${record}"
    service_time: Any = None
    rate_limit: RateLimit | None = None
    faults: Rates | None = None


class Paging(Part, frozen=True):
    """The inputs by which lists are paged, and the page's size in records."""

    page: str
    size: str
    default_size: int = 50
    max_size: int = 1000


class Collection(Part, frozen=True):
    """Records of one kind, kept per account."""

    unique: str | None = None
    """The field that no two records share, …"""
    within: Literal["account", "provider"] = "account"
    """… within this scope."""
    error: str | None = None
    """The error if the value is taken."""


class ErrorReply(Part, frozen=True):
    """The provider's answer to an error."""

    status: int
    body: Any


class Provider(Part, frozen=True):
    """A whole provider file."""

    provider: str
    title: str
    routes: dict[str, Route]
    account: str = ""
    """A text template over path parameters: the account that a request's state belongs to."""
    patterns: dict[str, str] = {}
    """Regular expressions for path parameters (default: anything without a slash)."""
    service_time: Any = "0ms"
    rtt_ms: float = 0.0
    """Charged once on every request …"""
    setup_round_trips: int = 0
    """… and this many more times when a connection is accepted."""
    rate_limit: RateLimit | None = None
    auth: Auth | None = None
    faults: Rates = Rates()
    errors: dict[str, ErrorReply] = {}
    """By name. The simulator uses `not-found`, `rate-limited`, `unauthorized` and `internal`."""
    collections: dict[str, Collection] = {}
    paging: Paging = Paging(page="page", size="page_size")


class _Loader(yaml.SafeLoader):
    """Only true and false are booleans, as in YAML 1.2: `no` may be a key, `ON` is Ontario."""


_BOOLEAN: Final = "tag:yaml.org,2002:bool"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOLEAN]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOLEAN, re.compile(r"true|false"), ["t", "f"])


def load(name_or_path: str, rtt_s: float | None = None) -> Provider:
    """Read a shipped provider by name, or any file by path. Raises ValueError.

    `rtt_s` replaces the round trip in the file, if the file has one.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = FOLDER / f"{name_or_path}.yaml"
        if not path.is_file():
            raise ValueError(_unknown(name_or_path))
    try:
        document = yaml.load(path.read_bytes(), _Loader)  # noqa: S506 -- a safe loader
        provider = msgspec.convert(document, Provider)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise ValueError(f"{path}: {error}") from error
    if rtt_s is None or not provider.rtt_ms:
        return provider
    return msgspec.structs.replace(provider, rtt_ms=1000 * rtt_s)


def _unknown(name: str) -> str:
    known = sorted(file.stem for file in FOLDER.glob("*.yaml"))
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or known
    return f"no provider {name!r}; there are {', '.join(near)}, or give the path of a .yaml file"


def describe(provider: Provider, *others: Provider) -> str:
    """Return a sentence about a simulated provider, for reports.

    `others` are the same provider with other round trips, in the same run.
    """
    said = ["upstream simulator", read(provider.service_time).describe()]
    if provider.rtt_ms:
        trips = provider.setup_round_trips
        rtts = dict.fromkeys(f"{one.rtt_ms:g} ms" for one in (provider, *others))
        said.append(f"RTT {' or '.join(rtts)}, {trips} more round trips per new connection")
    return f"{provider.title} ({'; '.join(said)})"
