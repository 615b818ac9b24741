"""What a server costs a model's context: an estimate of tokens, named as one."""

from collections.abc import Mapping
from typing import Any, Final

BYTES_PER_TOKEN: Final = 4
ESTIMATOR: Final = "4 bytes of JSON a token"
"""The usual rule of thumb for English and JSON; tokenizers differ from it by a third or so."""


def tokens(size: float) -> float:
    """Estimate how many tokens so many bytes of JSON are."""
    return size / BYTES_PER_TOKEN


def facts(described: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics that are known of an arm before it is called, by its record."""
    size = described.get("tools_list_bytes")
    return {"tools_list_tokens": tokens(size)} if size else {}
