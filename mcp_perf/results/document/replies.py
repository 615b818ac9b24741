"""What a target said: the first replies of each step, and what is odd in those that were ok."""

from pydantic import Field

from mcp_perf.results.document.part import DocumentPart


class StepReplies(DocumentPart):
    """The replies of one step of one arm, over the whole run."""

    arm: str
    step: str
    first: dict[str, str]
    """By class: the beginning of the first reply, without secrets."""
    looked: int = 0
    """Replies that were ok and were looked at; what follows is of these."""
    like_errors: int = 0
    """Those that say isError: false, and look like errors."""
    empty: int = 0
    alike: int = 0
    """The same reply to different arguments: how often the commonest came."""
    remarks: list[str] = Field(default_factory=list)
    """What is odd, in sentences that are among the notes, too."""
