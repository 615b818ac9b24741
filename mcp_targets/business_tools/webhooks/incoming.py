"""Webhooks from providers: the signature is checked, and each is processed once."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from mcp_targets.business_tools.errors import Refused
from mcp_targets.business_tools.webhooks.signatures import verify, verify_twilio

_REMEMBERED: Final = 10_000


class Incoming:
    """Receive webhooks, and remember them to recognise repeats."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, None] = OrderedDict()

    def process_webhook(
        self, provider: str, url: str, headers: Mapping[str, str], body: bytes, secret: str
    ) -> tuple[dict[str, Any], bool]:
        """Return what a provider says, and whether it is new. Raises Refused."""
        if provider == "twilio":
            form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
            said: dict[str, Any] = dict(form)
            good = verify_twilio(secret, url, form, headers.get("x-twilio-signature", ""))
            identity = form.get("MessageSid", "") + form.get("MessageStatus", "")
        else:
            header = headers.get("stripe-signature") or headers.get("x-webhook-signature", "")
            good = verify(secret, body, header)
            said = _object(body) if good else {}
            identity = str(said.get("id", ""))
        if not good:
            raise Refused("WEBHOOK_SIGNATURE_WRONG", "the signature is not right", status=401)
        identity = f"{provider}:{identity or hashlib.sha256(body).hexdigest()}"
        if identity in self._seen:
            return said, False
        self._seen[identity] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return said, True


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise Refused("WEBHOOK_NOT_JSON", "the body is not a JSON object")
    return said
