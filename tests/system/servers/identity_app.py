"""A server of the Python SDK whose answers depend on the caller, with its authorization server.

python identity_app.py PORT [--tokens CSV] [--lifetime SECONDS] [--shared]

GET /log returns which users came with which token, and the token requests. POST /revoke invalidates
all tokens of the authorization server once.
"""

import argparse
import base64
import csv
import json
import logging
import secrets
import time
from collections import Counter, defaultdict
from pathlib import Path
from urllib.parse import parse_qs

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError


class Accounts:
    """The owners of tokens, and what was done with the tokens."""

    def __init__(self, lifetime_s: float) -> None:
        self.lifetime_s = lifetime_s
        self.owners: dict[str, str] = {}
        self.until_s: dict[str, float] = {}
        self.refresh: dict[str, str] = {}
        self.codes: dict[str, str] = {}
        self.users: defaultdict[str, set[int]] = defaultdict(set)
        self.asked: Counter[str] = Counter()
        self.refused = 0

    def owner(self, token: str) -> str:
        """Return the owner of a token, or nothing if it is no longer valid."""
        if time.monotonic() > self.until_s.get(token, float("inf")):
            return ""
        return self.owners.get(token, "")

    def issue(self, owner: str) -> dict:
        """Make a token that expires, and one to renew it with."""
        token, renewal = f"access-{secrets.token_hex(12)}", f"renewal-{secrets.token_hex(12)}"
        self.owners[token] = self.refresh[renewal] = owner
        # With leeway, as in real servers: a client that knows a token's end is never refused.
        self.until_s[token] = time.monotonic() + self.lifetime_s + 60
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": self.lifetime_s,
            "refresh_token": renewal,
        }

    def told(self) -> dict:
        """Return the log for the tests."""
        return {
            "users": {token: sorted(users) for token, users in self.users.items()},
            "owners": self.owners,
            "renewals": list(self.refresh),
            "asked": dict(self.asked),
            "refused": self.refused,
        }


class App:
    """The guarded MCP server, an API guarded by a key, and the authorization server."""

    def __init__(self, port: int, accounts: Accounts, mcp) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.accounts = accounts
        self.mcp = mcp

    async def __call__(self, scope, receive, send) -> None:
        """Answer, or pass requests with a token to the MCP server."""
        if scope["type"] != "http":
            await self.mcp(scope, receive, send)
            return
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        if scope["path"] == "/mcp":
            token = headers.get("authorization", "").removeprefix("Bearer ")
            if self.accounts.owner(token):
                await self.mcp(scope, receive, send)
            else:
                self.accounts.refused += 1
                challenge = {"www-authenticate": "Bearer"}
                await reply(send, 401, {"error": f"the token {token} is worthless"}, challenge)
            return
        body, more = b"", scope["method"] == "POST"
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        query = {name: found[0] for name, found in parse_qs(scope["query_string"].decode()).items()}
        await reply(send, *self.answer(scope["path"], headers, query, body))

    def answer(self, path: str, headers: dict, query: dict, body: bytes) -> tuple:
        """Return status, body and headers."""
        self.accounts.asked[path] += 1
        if path == "/me":
            return self.me(headers.get("x-api-key", ""), query)
        if path == "/login":
            return self.login(json.loads(body))
        if path == "/token":
            form = {name: found[0] for name, found in parse_qs(body.decode()).items()}
            return self.token(headers, form)
        if path == "/authorize":
            return self.authorize(query)
        if path == "/register":
            return 201, {**json.loads(body), "client_id": "registered"}
        return self.told(path)

    def told(self, path: str) -> tuple:
        """Return the log, or where things are."""
        if path == "/log":
            return 200, self.accounts.told()
        if path == "/revoke":
            self.accounts.until_s = dict.fromkeys(self.accounts.until_s, 0.0)
            return 200, {}
        if "oauth-protected-resource" in path:
            found = {"resource": f"{self.base}/mcp", "authorization_servers": [self.base]}
            return 200, found
        if "oauth-authorization-server" in path:
            return 200, self.metadata()
        return 404, {"error": "nothing here"}

    def authorize(self, query: dict) -> tuple:
        """Redirect with a code, without asking anybody."""
        code = f"code-{secrets.token_hex(12)}"
        self.accounts.codes[code] = query["code_challenge"]
        back = f"{query['redirect_uri']}?code={code}&state={query['state']}"
        return 302, {}, {"location": back}

    def me(self, key: str, query: dict) -> tuple:
        """Return the owner of a key."""
        owner = self.accounts.owner(key)
        if not owner:
            return 403, {"error": f"the key {key} is worthless"}
        self.accounts.users[key].add(int(query["user"]))
        return 200, {"owner": owner}

    def login(self, said: dict) -> tuple:
        """Issue a token for a name and its password."""
        if said["password"] != f"pass-{said['name']}":
            return 403, {"error": f"{said['password']} is not the password"}
        return 200, {"session": self.accounts.issue(said["name"]), "name": said["name"]}

    def metadata(self) -> dict:
        """Describe the authorization server."""
        return {
            "issuer": self.base,
            "authorization_endpoint": f"{self.base}/authorize",
            "token_endpoint": f"{self.base}/token",
            "registration_endpoint": f"{self.base}/register",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
        }

    def token(self, headers: dict, form: dict) -> tuple:
        """Issue a token for a secret, a code, or another token."""
        grant = form["grant_type"]
        self.accounts.asked[grant] += 1
        if grant == "refresh_token":
            owner = self.accounts.refresh.pop(form["refresh_token"], "")
            return (200, self.accounts.issue(owner)) if owner else (400, {"error": "invalid_grant"})
        if grant == "authorization_code":
            known = self.accounts.codes.pop(form["code"], "") and form.get("code_verifier")
            return (
                (200, self.accounts.issue("code")) if known else (400, {"error": "invalid_grant"})
            )
        login = base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode()
        client, _, secret = login.partition(":")
        if secret != f"secret-{client}":
            return 401, {"error": "invalid_client", "error_description": f"{secret} is wrong"}
        issued = self.accounts.issue(client)
        del self.accounts.refresh[issued.pop("refresh_token")]
        return 200, issued


async def reply(send, status: int, value: dict, headers: dict | None = None) -> None:
    """Answer with JSON."""
    body = json.dumps(value).encode()
    fields = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        **(headers or {}),
    }
    encoded = [(name.encode(), text.encode()) for name, text in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Read the switches and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--tokens", type=Path)
    parser.add_argument("--lifetime", type=float, default=3600)
    parser.add_argument("--shared", action="store_true")
    options = parser.parse_args()
    logging.basicConfig(level=logging.CRITICAL)
    accounts = Accounts(options.lifetime)
    if options.tokens:
        with options.tokens.open(newline="") as file:
            accounts.owners = {row["token"]: row["name"] for row in csv.DictReader(file)}
    server = MCPServer("identity-app", log_level="CRITICAL")
    last = [""]

    @server.tool()
    def mine(user: int, ctx: Context) -> dict[str, str]:
        """Return the owner of the call's token."""
        token = ctx.request_context.request.headers["authorization"].removeprefix("Bearer ")
        accounts.users[token].add(user)
        owner, last[0] = last[0] or accounts.owners[token], accounts.owners[token]
        return {"owner": owner if options.shared else accounts.owners[token]}

    @server.tool()
    def repeat(ctx: Context) -> str:
        """Fail with the token in the message."""
        token = ctx.request_context.request.headers["authorization"].removeprefix("Bearer ")
        raise ToolError(f"you said {token}")

    mcp = server.streamable_http_app(json_response=True)
    app = App(options.port, accounts, mcp)
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")


main()
