"""Where the files are that come with the suite: scenarios, templates, the locustfile.

The wheel carries them as `mcp_perf/shipped`; a checkout has them in the folders of its user.
"""

from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).resolve().parent
_CHECKOUT: Final = {
    "scenarios": "scenarios",
    "templates": "reports/templates",
    "locustfiles": "locustfiles",
}


def shipped(name: str) -> Path:
    """Return the folder of the `scenarios`, the `templates` or the `locustfiles`."""
    shipped = _HERE / "shipped" / name
    return shipped if shipped.is_dir() else _HERE.parent / _CHECKOUT[name]
