"""What fills in the templates of reports; it is strict, and escapes whatever they put out."""

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mcp_perf import folders


def environment(finalize: Callable[[Any], Any]) -> Environment:
    """Return Jinja's environment; `finalize` gets whatever a template puts out."""
    return Environment(
        loader=FileSystemLoader(folders.shipped("templates")),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
