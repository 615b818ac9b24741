"""Documents as JSON: MongoDB's Extended JSON (v2), relaxed, in both directions."""

import json
from typing import Any, Final

from bson import json_util
from bson.errors import BSONError

from mcp_targets.business_tools.errors import Refused

_OPTIONS: Final = json_util.RELAXED_JSON_OPTIONS


def to_bson(value: Any) -> Any:
    """Return what JSON stands for: `{"$oid": …}`, `{"$date": …}`, `{"$numberDecimal": …}`, ….

    Raises Refused.
    """
    try:
        return json_util.loads(json.dumps(value), json_options=_OPTIONS)
    except (ValueError, TypeError, ArithmeticError, BSONError) as error:
        raise Refused(
            "DATABASE_BAD_VALUE",
            f"a value cannot be read: {error}",
            'Write {"$oid": "<24 hex digits>"}, {"$date": "2026-01-31T12:00:00Z"} or '
            '{"$numberDecimal": "1.50"}.',
        ) from error


def to_json(value: Any) -> Any:
    """Return documents as JSON, without any loss."""
    return json.loads(json_util.dumps(value, json_options=_OPTIONS))
