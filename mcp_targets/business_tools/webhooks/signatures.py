"""The signatures of webhooks: ours, Twilio's and Stripe's."""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from typing import Final

TOLERANCE_S: Final = 300
"""How old a signed time may be. Older webhooks may be replays."""


def sign(secret: str, body: bytes, at_s: float) -> str:
    """Return the value of our header, `t=<seconds>,v1=<HMAC-SHA256>`."""
    stamp = str(int(at_s))
    mac = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256)
    return f"t={stamp},v1={mac.hexdigest()}"


def verify(secret: str, body: bytes, header: str, now_s: float | None = None) -> bool:
    """Check a header of that form, which is also Stripe's."""
    found = re.search(r"t=(\d{1,12})(?:,|$)", header)
    if not found or not secret:
        return False
    now_s = time.time() if now_s is None else now_s
    if abs(now_s - int(found[1])) > TOLERANCE_S:
        return False
    wanted = sign(secret, body, int(found[1])).partition("v1=")[2]
    return any(hmac.compare_digest(wanted, one) for one in re.findall(r"v1=([0-9a-f]+)", header))


def verify_twilio(secret: str, url: str, form: Mapping[str, str], header: str) -> bool:
    """Check X-Twilio-Signature: HMAC-SHA1 of the URL and the sorted fields, in base64."""
    text = url + "".join(name + form[name] for name in sorted(form))
    mac = hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()
    return bool(secret) and hmac.compare_digest(base64.b64encode(mac).decode(), header)
