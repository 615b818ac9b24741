"""The tasks of the benchmark: what an agent is told, and which journey does the same by itself."""

from pathlib import Path
from typing import Final

MODES: Final = ("control", "mcp")
TASKS: Final = {1: "buy-number", 2: "create-activity", 3: "create-queue"}
"""Number of a task -> its journey in the scenario `twilio-tasks`, whose arms are the modes."""
_TEXTS: Final = Path(__file__).with_name("instructions")


def instructions(task: int, mode: str) -> str:
    """Return a task as an agent is given it, in Markdown."""
    parts = (f"task_{task}", mode, "ending")
    return "\n".join((_TEXTS / f"{part}.md").read_text("utf-8") for part in parts)
