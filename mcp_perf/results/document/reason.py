"""Why the verdict is what it is: a stable code for programs, and a sentence for people."""

from mcp_perf.results.document.part import DocumentPart


class Reason(DocumentPart):
    """One reason; docs/measurement.md lists the codes."""

    code: str
    text: str

    @property
    def line(self) -> str:
        """The sentence, and behind it the code."""
        return f"{self.text} ({self.code})"
