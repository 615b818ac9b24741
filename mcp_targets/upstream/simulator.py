"""A simulated provider: answers requests in its format, with its times and its faults."""

import random
import time
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from mcp_targets.serving.faults import Faults, Rates
from mcp_targets.serving.httpd import Reply, Request, Server
from mcp_targets.upstream.credentials import Credentials
from mcp_targets.upstream.inputs import RefusedError
from mcp_targets.upstream.provider import ErrorReply, Provider, RateLimit
from mcp_targets.upstream.routes import Operation, build
from mcp_targets.upstream.store import Store
from mcp_targets.upstream.tally import Tally, Together
from mcp_targets.upstream.templates import Compiler, Values
from mcp_targets.upstream.timetable import Timetable, Window

_BEFORE_WORK: Final = frozenset({"error", "reset", "html"})
"""Faults that happen before a request changes any state; the others spoil the reply."""
_STATUS: Final = {"not-found": 404, "rate-limited": 429, "internal": 500, "conflict": 409} | {
    "unauthorized": 401
}
_UNKNOWN: Final = "unknown"
"""Requests that no route answers are counted under this name."""

_encode = msgspec.json.Encoder().encode


class FaultRates(Rates, frozen=True):
    """Rates for one route, or for all routes without specific rates."""

    route: str | None = None
    rate_limit: RateLimit | None = None
    """Replaces the file's limit for the whole provider."""


class Bucket:
    """Hold up to `requests` tokens, refilled evenly over `per_s` seconds."""

    def __init__(self, limit: RateLimit, now_s: float) -> None:
        self._size = float(limit.requests)
        self._per_token_s = limit.per_s / limit.requests
        self._tokens = self._size
        self._at_s = now_s

    def take(self, now_s: float) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        refill = (now_s - self._at_s) / self._per_token_s
        self._tokens = min(self._size, self._tokens + refill)
        self._at_s = now_s
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) * self._per_token_s


class Simulator:
    """Play one provider; `server` serves it. `together` counts the requests to all providers."""

    def __init__(
        self,
        provider: Provider,
        seed: int = 0,
        together: Together | None = None,
        windows: tuple[Window, ...] = (),
    ) -> None:
        self._provider = provider
        self._together = Together() if together is None else together
        self._store = Store()
        compiler = Compiler(lambda: datetime.now(UTC))
        self._operations = build(provider, self._store, compiler, seed)
        self._errors = {
            name: compiler.compile(error.body, known=None)
            for name, error in provider.errors.items()
        }
        self._faults = Faults(provider.faults)
        self._timetable = Timetable(windows)
        rng = random.Random(f"{seed}:{provider.provider}:tokens")
        self._credentials = Credentials(provider.auth, time.monotonic, rng)
        self._own_faults = {
            name: Faults(route.faults)
            for name, route in provider.routes.items()
            if route.faults is not None
        }
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._limit = provider.rate_limit
        self._routes = {name: Tally() for name in (*provider.routes, _UNKNOWN)}
        self._accounts: dict[str, Tally] = {}
        self._all = Tally()
        self._rtt_s = provider.rtt_ms / 1000
        setup_s = self._rtt_s * provider.setup_round_trips
        self.server = Server(self._answer, self._admin, accept_delay_s=lambda: setup_s)
        self._together.servers.append(self.server.counters)

    def _answer(self, request: Request) -> Reply:
        path = request.path.decode("latin-1")
        operation, parameters = self._find(request.method, path)
        if operation is None:
            tallies = self._begin(request, _UNKNOWN, "")
            reply = self._error("not-found", {"path": path})
        else:
            account = operation.account(parameters)
            tallies = self._begin(request, operation.name, account)
            reply = self._serve(request, operation, account, path, parameters)
            reply.after_s += operation.service_time.draw_s(operation.rng)
        reply.after_s += self._rtt_s
        if reply.status >= 400:
            for tally in tallies:
                tally.errors_sent += 1
        return reply

    def _find(self, method: bytes, path: str) -> tuple[Operation | None, dict[str, str]]:
        for operation in self._operations:
            if operation.method == method and (found := operation.path.fullmatch(path)):
                return operation, found.groupdict()
        return None, {}

    def _serve(
        self,
        request: Request,
        operation: Operation,
        account: str,
        path: str,
        parameters: dict[str, str],
    ) -> Reply:
        wait_s = self._wait_s(operation, account)
        if wait_s > 0:
            reply = self._error("rate-limited", {"path": path})
            # Whole seconds, rounded up: RFC 9110 section 10.2.3.
            reply.headers = ((b"retry-after", b"%d" % -(-wait_s // 1)),)
            return reply
        lifetime_s = operation.route.issue_token_s
        if lifetime_s is None and not self._credentials.good(request):
            return self._error("unauthorized", {"path": path})
        set_by_hand = self._own_faults.get(operation.name, self._faults)
        faults = self._timetable.faults(operation.name, time.monotonic()) or set_by_hand
        kind = faults.draw()
        if kind == "error":
            return self._error("internal", {"path": path})
        if kind in _BEFORE_WORK:
            return faults.spoil(kind, Reply())
        try:
            given = _given(request)
            if lifetime_s is not None:
                token = self._credentials.issue(given, lifetime_s)
                return self._error("unauthorized", {}) if token is None else Reply(_encode(token))
            body = operation.run(account, path, parameters, given)
            reply = Reply(_encode(body), operation.route.status)
        except RefusedError as refused:
            reply = self._error(refused.name, refused.values)
        return faults.spoil(kind, reply)

    def _wait_s(self, operation: Operation, account: str) -> float:
        own = operation.route.rate_limit
        limit = own or self._limit
        if limit is None:
            return 0.0
        now_s = time.monotonic()
        key = (operation.name if own else "", account)
        bucket = self._buckets.get(key) or self._buckets.setdefault(key, Bucket(limit, now_s))
        return bucket.take(now_s)

    def _error(self, name: str, values: Values) -> Reply:
        known: ErrorReply | None = self._provider.errors.get(name)
        if known is None:
            body = {"error": {"code": name, "message": name.replace("-", " ")}}
            return Reply(_encode(body), _STATUS.get(name, 400))
        return Reply(_encode(self._errors[name](_Lenient(values))), known.status)

    # Counting.

    def _begin(self, request: Request, route: str, account: str) -> Collection[Tally]:
        """Count a request, and return the counts that it belongs to."""
        tallies = {"": self._all, route: self._routes[route]}
        if account:
            tallies[account] = self._accounts.setdefault(account, Tally())
        for name, tally in tallies.items():
            tally.begin(first_on_connection=name not in request.tags)
        request.tags.update(tallies)
        self._together.begin()

        def done() -> None:
            self._together.in_parallel -= 1
            for tally in tallies.values():
                tally.end()

        request.done = done
        return tallies.values()

    # Observing and disturbing.

    def _admin(self, request: Request) -> Reply:
        match request.method, request.path:
            case b"GET", b"/_counters":
                return Reply(_encode(self._counters()))
            case (b"GET" | b"POST") as method, b"/_together":
                if method == b"POST":
                    self._together.forget()
                return Reply(_encode(self._together.shown()))
            case b"GET", b"/_state":
                return Reply(_encode(self._store.state(request.query().get("account", ""))))
            case b"POST", b"/_faults":
                return self._set_faults(request.body)
            case b"POST", b"/_timetable":
                return self._set_timetable(request.body)
        there = (
            "GET /_counters, GET or POST /_together, GET /_state?account=…, POST /_faults "
            "and POST /_timetable"
        )
        return _refusal(404, f"there are {there}")

    def _set_faults(self, body: bytes) -> Reply:
        try:
            asked = msgspec.json.decode(body, type=FaultRates)
        except (msgspec.ValidationError, msgspec.DecodeError) as problem:
            return _refusal(400, str(problem))
        if asked.route is not None and asked.route not in self._provider.routes:
            return _refusal(400, f"no route {asked.route!r}: {', '.join(self._provider.routes)}")
        if asked.route is None:
            self._limit = asked.rate_limit or self._provider.rate_limit
            self._buckets.clear()
        own = asked.route and self._own_faults.setdefault(asked.route, Faults())
        (own or self._faults).set(asked)
        return Reply(_encode(asked))

    def _set_timetable(self, body: bytes) -> Reply:
        try:
            asked = msgspec.json.decode(body, type=tuple[Window, ...])
        except (msgspec.ValidationError, msgspec.DecodeError) as problem:
            return _refusal(400, str(problem))
        self._timetable = Timetable(asked, time.monotonic())
        return Reply(_encode(asked))

    def _counters(self) -> dict[str, Any]:
        faults: dict[str, int] = {}
        for source in (self._faults, *self._own_faults.values(), *self._timetable.sources()):
            for kind, count in source.counts.items():
                if count:
                    faults[kind] = faults.get(kind, 0) + count
        return {
            **self._all.shown(),
            "connections_opened": self.server.counters.connections,
            "faults": faults,
            "routes": {name: tally.shown() for name, tally in self._routes.items()},
            "accounts": {name: tally.shown() for name, tally in self._accounts.items()},
        }


def _refusal(status: int, message: str) -> Reply:
    return Reply(_encode({"error": {"message": message}}), status)


def _given(request: Request) -> dict[str, Any]:
    """Return the inputs of a request: its query, or the JSON object or form in its body."""
    if request.method in (b"GET", b"DELETE"):
        return request.query()
    if not request.headers.get(b"content-type", b"").startswith(b"application/json"):
        return request.form()
    try:
        return msgspec.json.decode(request.body, type=dict[str, Any])
    except msgspec.DecodeError:
        raise RefusedError("bad-request", {}) from None


class _Lenient(dict[str, Any]):
    """Errors may name any value of any route; a value that is missing renders as empty."""

    def __missing__(self, name: str) -> str:
        return ""
