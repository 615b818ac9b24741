"""Why a run does not begin: an error with its exit code, and what to do next."""

from typing import Final

from mcp_perf.load.hub.redaction import clean

CONFIGURATION: Final = 104
UNREACHABLE: Final = 108


class Refusal(Exception):  # noqa: N818 -- the run is refused, it did not break
    """Nothing was measured. `lines` are for the user, one problem each."""

    def __init__(self, *lines: str, code: int = CONFIGURATION, keep_logs: bool = False) -> None:
        self.exit_code = code
        self.lines = [clean(line) for line in lines]
        super().__init__("\n".join(self.lines))
        self.keep_logs = keep_logs
        """Whether a line names a log file, which must not be removed then."""
