"""What is sent to a provider, and what its reply means."""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx2

from mcp_targets.business_tools.errors import Limited, Refused, ToolFailure, Unavailable
from mcp_targets.business_tools.upstreams.spec import Operation, Provider

Arguments = dict[str, Any]
_NEVER_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


def request(
    about: Provider, one: Operation, arguments: Arguments, secret: str, address: str | None = None
) -> tuple[str, str, dict[str, Any]]:
    """Return the method, the address and the other parts of a request for httpx2.

    Values in the path are always quoted: none of them can change the rest of the path or the host.
    """
    quoted = {name: _segment(str(arguments.get(name, ""))) for name in one.in_path}
    url = (address or about.base_url) + one.path.format_map(quoted)
    fields = {name: value for name, value in arguments.items() if name not in one.in_path}
    headers: dict[str, str] = {}
    query: dict[str, Any] = {}
    match about.auth.kind:
        case "bearer" | "oauth2":
            headers["Authorization"] = f"Bearer {secret}"
        case "header":
            headers[about.auth.name] = about.auth.prefix + secret
        case "basic":
            headers["Authorization"] = "Basic " + b64encode(secret.encode()).decode()
        case "query":
            query[about.auth.name] = secret
    parts: dict[str, Any] = {"headers": headers}
    if one.method in ("GET", "DELETE"):
        query |= {name: _plain(value) for name, value in fields.items()}
    elif one.encoding == "form":
        parts["data"] = {name: _plain(value) for name, value in fields.items()}
    else:
        parts["json"] = fields
    if query:
        parts["params"] = query
    return one.method, url, parts


def _segment(value: str) -> str:
    # A segment of dots would be removed, and the one before it too.
    quoted = quote(value, safe="")
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E")


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) else value


def unreachable(provider: str, error: Exception) -> Unavailable:
    """Say that no reply came, without the URL, which may contain a secret."""
    return Unavailable(
        f"{provider.upper()}_UNAVAILABLE",
        f"{provider} did not answer: {type(error).__name__}",
        "Try again later.",
        sent=not isinstance(error, _NEVER_SENT),
        provider=provider,
    )


def answer_of(
    provider: str, status: int, headers: Mapping[str, str], content: bytes
) -> dict[str, Any]:
    """Return the JSON object in a reply. Raises ToolFailure if there is none, or for a refusal."""
    name = provider.upper()
    try:
        body = json.loads(content) if content else {}
    except ValueError:
        body = None
    if status == 429:
        after = headers.get("retry-after", "")
        wait_s = float(after) if after.isdecimal() else 1.0
        raise Limited(
            "PROVIDER_RATE_LIMITED", f"{provider} wants a pause", wait_s, provider=provider
        )
    if status >= 500 or body is None:
        message = f"{provider} answered {status}" + ("" if body is not None else " without JSON")
        raise Unavailable(
            f"{name}_UNAVAILABLE", message, "Try again later.", sent=True, provider=provider
        )
    if status in (401, 403):
        raise ToolFailure(
            f"{name}_AUTH_FAILED",
            f"{provider} refuses the server's credentials",
            f"Check the key of {provider}: it may have been rotated.",
            status=502,
            provider=provider,
        )
    if status >= 400:
        code = f"{name}_NOT_FOUND" if status == 404 else f"{name}_REFUSED"
        known = 404 if status == 404 else 409 if status == 409 else 400
        raise Refused(code, _message(body, status), status=known, provider=provider)
    return body if isinstance(body, dict) else {"items": body}


def _message(body: Any, status: int) -> str:
    """Return the provider's message, wherever the body has it."""
    inside = body.get("error", body) if isinstance(body, dict) else body
    said = inside.get("message") if isinstance(inside, dict) else inside
    return str(said)[:300] if said else f"refused with {status}"
