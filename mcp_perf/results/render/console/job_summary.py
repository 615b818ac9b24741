"""What a CI job shows on its own page: as much of the Markdown report as there is room for.

GitHub takes 1 MiB from each step and shows nothing of a summary that is longer.
"""

from collections.abc import Sequence
from typing import Final

from mcp_perf.results.render.files import markdown

LIMIT_BYTES: Final = 1024 * 1024
_LEFT_OUT: Final = "*{} of {} parts are left out: a job's summary has room for 1 MiB. {}*\n"
_WHERE: Final = "The report in the run's folder has them."


def fit(sections: Sequence[str], room_bytes: int) -> str:
    """Join the sections; those at the end that do not fit are left out, and counted.

    Empty if there is no room even for saying so.
    """
    for kept in range(len(sections), -1, -1):
        missing = len(sections) - kept
        note = [_LEFT_OUT.format(missing, len(sections), _WHERE)] if missing else []
        text = "\n\n".join([*sections[:kept], *note]) + "\n\n"
        if len(text.encode("utf-8", "replace")) <= room_bytes:
            return text
    return ""


def refusal(exit_code: int, lines: Sequence[str]) -> str:
    """Write why there is no report."""
    head = f"## {markdown.MARKS['INVALID']} No report (exit code {exit_code})"
    return f"{head}\n\n{markdown.bullets(lines)}\n"
