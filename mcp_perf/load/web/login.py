"""The login of the web page: Locust's `--web-login` has a form, but nothing that checks it."""

import hmac
import logging
import os
import secrets
from collections.abc import Mapping
from typing import Any, Final

from flask import redirect, request, session, url_for
from flask_login import UserMixin, login_user

from mcp_perf.load.targets.refusal import Refusal

VARIABLE: Final = "MCP_PERF_WEB_PASSWORD"
SHORTEST: Final = 12
"""Characters. Guessing is not slowed down, so the password has to be beyond guessing."""
_ONLY_USER: Final = "user"

logger = logging.getLogger("mcp-perf")


class _User(UserMixin):  # type: ignore[misc, unused-ignore]
    """Whoever knows the password."""

    id = _ONLY_USER


def password(environ: Mapping[str, str]) -> str:
    """Return the page's password. Raises Refusal if there is none, or a short one."""
    found = environ.get(VARIABLE, "")
    if len(found) < SHORTEST:
        what = f"has only {len(found)} characters" if found else "is not set"
        line = f"--web-login: {VARIABLE} {what}; set it to {SHORTEST} or more characters, such as"
        made = "python -c 'import secrets; print(secrets.token_urlsafe())' prints"
        raise Refusal(f"{line} {made}")
    return found


def install(web_ui: Any, options: Any, expected: str, *, https_only: bool) -> None:
    """Let in who posts the password to Locust's login page.

    The session is a signed cookie that ends with the browser or with Locust; `https_only`
    keeps it to https. Its name has the port, which cookies otherwise know nothing of.
    """
    app, base = web_ui.app, options.web_base_path or ""
    app.config.update(
        SECRET_KEY=secrets.token_bytes(32),
        SESSION_COOKIE_NAME=f"mcp-perf-{options.web_port}",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_SECURE=https_only,
    )
    web_ui.login_manager.user_loader(lambda known: _User() if known == _ONLY_USER else None)
    field = {"label": "Password", "name": "password", "is_secret": True, "is_required": True}
    web_ui.auth_args["custom_form"] = {
        "inputs": [field],
        "callback_url": f"{base}/login",
        "submit_button_text": "Log in",
    }

    @app.route(f"{base}/login", methods=["POST"])  # type: ignore[untyped-decorator, unused-ignore]
    def mcp_perf_login() -> Any:
        given = request.form.get("password", "")
        if not hmac.compare_digest(os.fsencode(given), os.fsencode(expected)):
            logger.warning("a wrong password for the web page, from %s", request.remote_addr)
            session["auth_error"] = "This is not the password."
            return redirect(url_for("locust.login"))
        session.clear()
        login_user(_User())
        return redirect(url_for("locust.index"))
