"""The face `rest`: tools as FastAPI routes, with health, metrics, webhooks and OAuth."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Body, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from mcp_targets.business_tools.access.guard import WHICH, WHO
from mcp_targets.business_tools.errors import Refused, ToolFailure
from mcp_targets.business_tools.faces import openapi
from mcp_targets.business_tools.system import BusinessTools
from mcp_targets.business_tools.upstreams.oauth import OAuthTenants
from mcp_targets.business_tools.webhooks.incoming import Incoming
from mcp_targets.business_tools.webhooks.subscriptions import Wanted


def build(system: BusinessTools, **more: Any) -> FastAPI:
    """Return the application; `more` goes to FastAPI."""
    app = FastAPI(title="mcp-perf business_tools", version="1.0.0", **more)
    _add_errors(app)
    _add_tools(app, system)
    _add_health(app, system)
    _add_webhooks(app, system)
    _add_oauth(app, system)
    return app


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(ToolFailure)
    async def failed(request: Request, failure: ToolFailure) -> JSONResponse:
        headers = {}
        if failure.retry_after_s is not None:
            headers["retry-after"] = str(int(-(-failure.retry_after_s // 1)))
        return JSONResponse(failure.body(_which(request)), failure.status, headers)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        codes = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}
        failure = Refused(codes.get(error.status_code, "BAD_REQUEST"), str(error.detail))
        return JSONResponse(failure.body(_which(request)), error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def unreadable(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        message = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
        return JSONResponse(Refused("INVALID_ARGUMENTS", message).body(_which(request)), 400)


def _add_tools(app: FastAPI, system: BusinessTools) -> None:
    @app.post("/tools/{name}", include_in_schema=False)
    async def call(
        name: str, arguments: Annotated[dict[str, Any], Body()], request: Request
    ) -> JSONResponse:
        """Call a tool; the body is its arguments."""
        answer = await system.call(name, arguments, _who(request), _which(request))
        return JSONResponse(answer)

    @app.get("/tools", include_in_schema=False)
    async def tools() -> dict[str, Any]:
        """List the tools with the form of their arguments."""
        listed = system.tools().values()
        return {"tools": {tool.name: tool.schema for tool in listed}}

    generate = app.openapi

    def described() -> dict[str, Any]:
        """Add the current tools."""
        document = dict(generate())
        paths, schemas = openapi.paths(system.tools().values())
        document["paths"] = {**document.get("paths", {}), **paths}
        components = document.get("components", {})
        known = {**components.get("schemas", {}), **schemas}
        return {**document, "components": {**components, "schemas": known}}

    app.openapi = described  # type: ignore[method-assign]


def _add_health(app: FastAPI, system: BusinessTools) -> None:
    @app.get("/health")
    async def health() -> dict[str, Any]:
        """Report how the parts are. A failing provider makes the server degraded, not unhealthy."""
        checks = await _checks(system)
        bad = [name for name, status in checks.items() if status != "ok"]
        status = "unhealthy" if "database" in bad else "degraded" if bad else "healthy"
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        return {"status": status, "checks": checks, "timestamp": now}

    @app.get("/health/ready")
    async def ready(response: Response) -> dict[str, Any]:
        """Report whether calls should be sent here."""
        good = await system.machinery.database.ping()
        response.status_code = 200 if good else 503
        return {"ready": good}

    @app.get("/metrics")
    async def metrics() -> Response:
        """Show the metrics for Prometheus."""
        system.observe()
        return Response(system.metrics.text(), media_type="text/plain; version=0.0.4")

    @app.get("/statistics")
    async def statistics() -> dict[str, Any]:
        """Show how often each mechanism took effect."""
        upstreams = system.machinery.upstreams
        pools = {
            name: one.model_dump(exclude={"used_at_s"}) for name, one in system.pools().items()
        }
        circuits = {
            name: {"state": one.state, "opened": one.opened, "refused": one.refused}
            for name, one in (upstreams.breakers or {}).items()
        }
        found: dict[str, Any] = {"pools": pools, "circuits": circuits, "retries": upstreams.retries}
        if (answers := upstreams.answers) is not None:
            found["cache"] = {name: getattr(answers, name) for name in ("hits", "misses", "shared")}
        limiter = upstreams.limiter
        found["limited"] = {"providers": limiter.refused if limiter else 0}
        found["limited"]["clients"] = system.machinery.clients.refused
        return {**found, "reloads": system.reloads, "audit": system.audit.counts}


async def _checks(system: BusinessTools) -> dict[str, str]:
    upstreams = system.machinery.upstreams
    checks = {"database": "ok" if await system.machinery.database.ping() else "failing"}
    if upstreams.answers is not None:
        checks["cache"] = "ok" if await upstreams.answers.ping() else "failing"
    for name, pool in upstreams.pools.statistics.items():
        open_ = upstreams.breakers is not None and upstreams.breakers[name].state != "closed"
        checks[name] = (
            "failing" if open_ or (upstreams.breakers is None and not pool.healthy) else "ok"
        )
    return checks


def _add_webhooks(app: FastAPI, system: BusinessTools) -> None:
    incoming = Incoming()

    @app.post("/webhooks", status_code=201)
    async def register(wanted: Wanted, request: Request) -> dict[str, Any]:
        """Register a webhook; the secret is shown this once."""
        await system.check_target(wanted.url)
        added = system.subscriptions.add(_who(request), wanted)
        system.audit.write("webhook", _who(request), _which(request), id=added.id)
        return {**added.model_dump(exclude={"client"}), "secret": added.secret.get_secret_value()}

    @app.get("/webhooks")
    async def listed(request: Request) -> dict[str, Any]:
        """List the caller's webhooks."""
        own = system.subscriptions.of(_who(request))
        return {"webhooks": [one.model_dump(include={"id", "url", "events"}) for one in own]}

    @app.delete("/webhooks/{identifier}", status_code=204)
    async def remove(identifier: str, request: Request) -> None:
        """Remove a webhook."""
        system.subscriptions.remove(_who(request), identifier)

    @app.post("/webhooks/incoming/{provider}")
    async def take(provider: str, request: Request) -> dict[str, Any]:
        """Receive a provider's webhook, such as a status callback of Twilio."""
        kept = system.settings.webhook_secrets.get(provider)
        said, new = incoming.process_webhook(
            provider,
            str(request.url),
            request.headers,
            await request.body(),
            kept.get_secret_value() if kept else "",
        )
        if new:
            system.outgoing.emit(f"{provider}.received", said)
        return {"taken": new}


def _add_oauth(app: FastAPI, system: BusinessTools) -> None:
    @app.get("/oauth/{provider}/authorise")
    async def authorise(provider: str, request: Request) -> dict[str, str]:
        """Return the address at which the caller authorises the server."""
        return {"url": _tenants(system, provider).authorise(_who(request))}

    @app.get("/oauth/callback/{provider}")
    async def callback(provider: str, state: str, code: str) -> dict[str, str]:
        """Receive the redirect from the provider."""
        return {"tenant": await _tenants(system, provider).callback(state, code)}


def _tenants(system: BusinessTools, provider: str) -> OAuthTenants:
    found = system.machinery.upstreams.oauth.get(provider)
    if found is None:
        raise Refused("NO_OAUTH", f"{provider} has no OAuth2 here"[:200], status=404)
    return found


def _who(request: Request) -> str:
    return str(request.scope.get(WHO, ""))


def _which(request: Request) -> str:
    return str(request.scope.get(WHICH, ""))
