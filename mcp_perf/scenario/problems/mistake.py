"""What is wrong with a scenario file, by the path of the value."""

from dataclasses import dataclass

Path = tuple[str | int, ...]
"""The keys and indexes that lead to a value in the file, as written there."""


def dotted(path: Path) -> str:
    """Write a path as a person would: `journeys.buy.mcp[0].call`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


@dataclass(frozen=True)
class Mistake:
    """A problem at a path, before its line is known."""

    path: Path
    message: str
    hint: str = ""
    line: int = 0
    """Set if the path does not show the line, as for the second of two equal keys."""
    source: str = ""
    """Set if something other than the file is to blame."""
    damaged: bool = False
    """True if the value there is lost: then other mistakes about it mean nothing."""
