"""The whole server: what a call goes through, and how that is replaced while calls run."""

import asyncio
import contextlib
import time
import traceback
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog
from pydantic import ValidationError

from mcp_targets.business_tools import plugins, settings
from mcp_targets.business_tools.access.addresses import check_target
from mcp_targets.business_tools.access.audit import Audit
from mcp_targets.business_tools.database.connection import Database
from mcp_targets.business_tools.errors import Refused, ToolFailure
from mcp_targets.business_tools.resilience.breaker import Breakers
from mcp_targets.business_tools.resilience.cache import Answers
from mcp_targets.business_tools.resilience.limits import RateLimiter
from mcp_targets.business_tools.resilience.pools import CHECK_S, Pools, PoolStatistics
from mcp_targets.business_tools.settings import Settings
from mcp_targets.business_tools.telemetry import Metrics
from mcp_targets.business_tools.tools import catalog
from mcp_targets.business_tools.tools.tool import Context, Tool
from mcp_targets.business_tools.upstreams import spec
from mcp_targets.business_tools.upstreams.client import Upstreams
from mcp_targets.business_tools.upstreams.oauth import OAuthTenants
from mcp_targets.business_tools.webhooks.outgoing import Outgoing
from mcp_targets.business_tools.webhooks.subscriptions import Subscriptions

T = TypeVar("T")
LOOK_EVERY_S: Final = 0.5
_log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where settings, providers and plugins come from; `given` takes precedence over the file."""

    file: Path | None = None
    keys: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    providers: Path | None = None
    plugins_folder: Path | None = None
    addresses: Mapping[str, str] = field(default_factory=dict)

    def stamp(self) -> tuple[tuple[str, int, int], ...]:
        """Return a value that changes if one of the files does."""
        folders = [(self.providers, "*.yaml"), (self.plugins_folder, "*.py")]
        files = [path for folder, kind in folders if folder for path in sorted(folder.glob(kind))]
        files += [self.file] if self.file is not None and self.file.exists() else []
        return tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files)

    def settings(self) -> Settings:
        """Read the settings. Raises ValueError."""
        return settings.load(self.file, self.keys, **self.given)

    def provider_files(self) -> dict[str, spec.Provider]:
        """Read the provider files. Raises ValueError."""
        return spec.load_all(*filter(None, [spec.FOLDER, self.providers]))


class Machinery:
    """The mechanisms and tools made from one reading of the sources."""

    def __init__(self, sources: Sources, before: "Machinery | None" = None) -> None:
        """Read everything. Raises ValueError if a source cannot be used.

        Parts whose settings are unchanged keep their state: connections, answers, counts, tokens.
        """
        self.settings = now = sources.settings()
        self._before = before
        providers = sources.provider_files()
        for name, secret in now.secrets.items():
            if name in providers and providers[name].auth.kind not in ("oauth2", "none"):
                pattern = providers[name].auth.key_format
                settings.check_key(name, pattern, secret.get_secret_value())
        redis, uri = now.redis_url.get_secret_value(), now.mongodb_uri.get_secret_value()
        pool, only = now.on("pool"), now.read_only
        self.parts: dict[tuple[Any, ...], Any] = {}
        part = self._part
        self.database = part(Database, uri, kept=pool, read_only=only)
        self.clients = part(RateLimiter, "CLIENT_RATE_LIMITED", redis)
        self.upstreams = Upstreams(
            providers,
            part(Pools, kept=pool),
            self._secret,
            addresses=sources.addresses,
            answers=part(Answers, redis) if now.on("cache") else None,
            limiter=part(RateLimiter, "RATE_LIMITED", redis) if now.on("limits") else None,
            breakers=part(Breakers) if now.on("breaker") else None,
            retry=now.on("retry"),
            oauth={
                name: part(OAuthTenants, name, address, name, self._secret(name))
                for name, one in providers.items()
                if one.auth.kind == "oauth2"
                for address in [sources.addresses.get(name, one.base_url)]
            },
        )
        self._before = None
        self.tools: dict[str, Tool] = {
            **catalog.TEN,
            **catalog.declared(providers),
            **plugins.load(sources.plugins_folder),
        }
        self.calls = 0

    async def close(self, but: "Machinery | None" = None) -> None:
        """Close all parts except the ones that `but` also has."""
        for what, part in self.parts.items():
            if but is None or but.parts.get(what) is not part:
                await part.close()

    def _part(self, kind: Callable[..., T], *given: Any, **more: Any) -> T:
        """Return the earlier part if it was made from the same arguments, otherwise a new one."""
        what = (kind, given, *more.items())
        known = self._before.parts.get(what) if self._before is not None else None
        self.parts[what] = known if known is not None else kind(*given, **more)
        made: T = self.parts[what]
        return made

    def _secret(self, provider: str) -> str:
        known = self.settings.secrets.get(provider)
        return known.get_secret_value() if known else ""


class BusinessTools:
    """The one object of the server, which all faces call."""

    def __init__(self, sources: Sources, audit: Path | None = None) -> None:
        """Read everything. Raises ValueError if a source cannot be used."""
        self._sources = sources
        self._stamp = sources.stamp()
        self.machinery = Machinery(sources)
        self._retired: list[Machinery] = []
        self.metrics = Metrics()
        self.audit = Audit(audit, lambda: self.settings.on("audit"))
        self.subscriptions = Subscriptions()
        self.outgoing = Outgoing(self.subscriptions, self.check_target)
        self.reloads = 0
        self._calls = 0

    @property
    def settings(self) -> Settings:
        return self.machinery.settings

    def tools(self) -> dict[str, Tool]:
        return self.machinery.tools

    async def check_target(self, url: str) -> str:
        """Return the host to connect to for a webhook's address. Raises Refused."""
        return await check_target(url, self.settings.allowed_hosts)

    async def call(
        self, name: str, arguments: dict[str, Any], client: str = "", request_id: str = ""
    ) -> dict[str, Any]:
        """Return what a tool answers. Raises ToolFailure, and nothing else."""
        request_id = request_id or uuid.uuid4().hex
        machinery, began = self.machinery, time.perf_counter()
        tool = machinery.tools.get(name)
        if tool is None:
            hint = f"There are {', '.join(machinery.tools)}."
            raise Refused("UNKNOWN_TOOL", f"there is no tool {name}"[:200], hint, status=404)
        status = "ok"
        try:
            machinery.calls += 1
            answer = await self._run(machinery, tool, arguments, client)
        except ToolFailure as failure:
            status = failure.code
            _log.info("call failed", tool=name, code=failure.code, request_id=request_id)
            raise
        except Exception as error:
            status = "INTERNAL"
            kind = type(error).__name__
            # No traceback: messages and variables may hold secrets.
            where = str(traceback.extract_tb(error.__traceback__)[-1])
            _log.error("call broke", tool=name, kind=kind, where=where, request_id=request_id)
            message = f"the server failed: {kind}"
            raise ToolFailure("INTERNAL", message, "Tell the request_id.", status=500) from error
        finally:
            machinery.calls -= 1
            self.metrics.calls.labels(name, "ok" if status == "ok" else "error").inc()
            self.metrics.latency.labels(name).observe(time.perf_counter() - began)
            self.audit.write(
                "operation", client, request_id, tool=name, names=sorted(arguments), end=status
            )
            if self._retired:
                await self._close_idle()
        told = {"request_id": request_id, "cached": answer["cached"]}
        self.outgoing.emit(f"{name}.done", told, client)
        return answer

    async def _run(
        self, machinery: Machinery, tool: Tool, arguments: dict[str, Any], client: str
    ) -> dict[str, Any]:
        now = machinery.settings
        tenant = client if now.on("auth") else ""
        context = Context(machinery.upstreams, machinery.database, tenant, now.variables())
        await self._disturb(now)
        try:
            async with asyncio.timeout(now.request_timeout_s if now.on("timeouts") else None):
                return await tool.run(arguments, context)
        except TimeoutError:
            message = f"it took more than {now.request_timeout_s:g} s"
            raise ToolFailure("TIMEOUT", message, "Ask for less.", status=504) from None
        except ValidationError as error:
            raise ToolFailure("INTERNAL", type(error).__name__, status=500) from error

    async def _disturb(self, now: Settings) -> None:
        if now.delay:
            await asyncio.sleep(now.delay)
        self._calls += 1
        # Evenly: with a share of 1 %, exactly one call in a hundred.
        if int(self._calls * now.errors) > int((self._calls - 1) * now.errors):
            raise ToolFailure("DISTURBED", "fails because --errors says so", status=500)

    async def reload(self) -> bool:
        """Read the sources again; calls in progress finish with the old ones.

        If they cannot be used, log that, keep the old ones, and return False.
        """
        try:
            fresh = Machinery(self._sources, self.machinery)
        except ValueError as error:
            _log.warning("reload refused", why=str(error))
            self.audit.write("configuration_change", "files", end="refused")
            return False
        old, self.machinery = self.machinery, fresh
        changed = [
            name
            for name in Settings.model_fields
            if getattr(old.settings, name) != getattr(fresh.settings, name)
        ]
        self.audit.write("configuration_change", "files", end="applied", settings=changed)
        self.reloads += 1
        self._retired.append(old)
        await self._close_idle()
        return True

    async def _close_idle(self) -> None:
        # The oldest first: the ones after it may share its parts.
        while self._retired and not self._retired[0].calls:
            old = self._retired.pop(0)
            await old.close(but=self._retired[0] if self._retired else self.machinery)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve: watch for changes, and close everything at the end."""
        tasks = [asyncio.create_task(one()) for one in (self._look, self._check)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await self.outgoing.close()
            left = [*self._retired, self.machinery]
            for machinery, after in zip(left, [*left[1:], None], strict=True):
                await machinery.close(but=after)
            self.audit.close()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            with contextlib.suppress(OSError):
                stamp = self._sources.stamp()
                if stamp != self._stamp:
                    self._stamp = stamp
                    await self.reload()

    async def _check(self) -> None:
        while True:
            await asyncio.sleep(CHECK_S)
            await self.machinery.upstreams.pools.check()

    def pools(self) -> dict[str, PoolStatistics]:
        """Return the counts of all connections: to providers, the database and Redis."""
        now = self.machinery
        found = {**now.upstreams.pools.statistics, "mongodb": now.database.pool}
        return found | ({"redis": now.clients.pool} if self.settings.redis_url else {})

    def observe(self) -> None:
        """Update the metrics that are read from other counts."""
        upstreams = self.machinery.upstreams
        for name, pool in self.pools().items():
            self.metrics.connections.labels(name).set(pool.in_use)
        for name, breaker in (upstreams.breakers or {}).items():
            self.metrics.circuits.labels(name).set(breaker.state == "open")
        if (answers := upstreams.answers) is not None:
            for kind in ("hits", "misses", "shared"):
                self.metrics.cache.labels(kind).set(getattr(answers, kind))
