"""The tasks of the benchmark: instructions for an agent, and journeys that do the same."""

from pathlib import Path
from typing import Final, Literal, get_args

Mode = Literal["control", "mcp"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)
TASKS: Final = (1, 2, 3)
_TEXTS: Final = Path(__file__).with_name("instructions")


def instructions(task: int, mode: str) -> str:
    """Return a task as an agent gets it, in Markdown."""
    parts = (f"task_{task}", mode, "ending")
    return "\n".join((_TEXTS / f"{part}.md").read_text("utf-8") for part in parts)


def tag(task: int) -> str:
    """Return the tag of a task's journey in `twilio-tasks`, whose arms are the modes."""
    return f"task-{task}"
