"""What `mcp-perf doctor` shows of the settings: which are in force, and where each comes from."""

from pydantic import SecretStr
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mcp_perf import settings
from mcp_perf.load.hub.redaction import clean


def show(found: settings.InForce, out: Console) -> None:
    """Print the settings, without secrets and without passwords in URLs."""
    values = ((name, getattr(found.values, name)) for name in found.origins)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("setting", "value", "from"):
        table.add_column(column, overflow="fold")
    for name, value in values:
        table.add_row(*map(Text, (name, _shown(value), clean(found.origins[name]))))
    out.print(table)
    for name in found.unknown:
        out.print(Text(clean(f"{name} is set, but there is no such setting")))
    out.print()


def _shown(value: SecretStr | str) -> str:
    if isinstance(value, SecretStr):
        return "set" if value.get_secret_value() else ""
    return clean(value)
