"""An HTML page as PDF: what the HTML says, set by Typst, with its charts as drawings.

The page's elements go to `page.typ` as JSON, so that no text can become markup. What a PDF says is
what the page says, whatever kind of report it is.
"""

import json
import re
import subprocess
import sys
import threading
from html.parser import HTMLParser
from importlib.util import find_spec
from typing import Any, Final

from mcp_perf import folders
from mcp_perf.results.document.text import clip
from mcp_perf.results.render.charts import drawings

_PATIENCE_S: Final = 300
_ONE: Final = threading.Lock()
"""Held while Typst works: pages that are asked for at once must not take all CPU and memory."""
_COMPILE: Final = (
    "import sys, typst; sys.stdout.buffer.write(typst.compile("
    "sys.argv[1], format='pdf', sys_inputs={'page': sys.stdin.read()}))"
)
_VOID: Final = {"br", "hr", "img", "input", "link", "meta", "wbr"}
"""Elements that have no end (HTML, section 13.1.2)."""
_BLANKS: Final = re.compile(r"[ \t\r\n]+")
_LONGEST: Final = 200
"""Characters of a word: a longer one fills no table, and says no more."""
_LONG: Final = re.compile(rf"\S{{{_LONGEST + 1},}}")
_UNSEEN: Final = {"script", "style", "template", "head", "nav"}


class PdfError(Exception):
    """A PDF cannot be made: why, and what to do."""


def ready() -> None:
    """Raise PdfError unless Typst is installed."""
    if find_spec("typst") is None:
        raise PdfError("pdf needs Typst: pip install 'mcp-perf[pdf]'")


def render(page: str) -> bytes:
    """Write an HTML page as PDF, in a process that takes Typst's memory with it.

    Raises PdfError.
    """
    ready()
    reader = _PageElements()
    reader.feed(page)
    reader.close()
    content = {
        "title": reader.title,
        "verdict": reader.verdict,
        "colours": drawings.colours(),
        "body": reader.body["kids"],
    }
    template = folders.shipped("templates") / "page.typ"
    command = [sys.executable, "-P", "-c", _COMPILE, str(template)]
    given = json.dumps(content).encode()
    try:
        with _ONE:
            return subprocess.run(  # noqa: S603 -- our own command
                command, input=given, capture_output=True, check=True, timeout=_PATIENCE_S
            ).stdout
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise PdfError(f"Typst refused the page, please report it: {said}") from error
    except subprocess.TimeoutExpired as error:
        raise PdfError(f"Typst took more than {_PATIENCE_S} s: the page is too long.") from error


class _PageElements(HTMLParser):
    """Reads the elements of a page as dictionaries; a chart becomes a drawing."""

    def __init__(self) -> None:
        super().__init__()
        self.title = self.verdict = ""
        self.body: dict[str, Any] = {"tag": "body", "kids": []}
        self._open = [self.body]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        css = given.pop("class", "").split()
        if tag == "html":
            self.verdict = next(iter(css), "")
        node = {"tag": tag, "css": css, "attrs": given, "kids": []}
        self._open[-1]["kids"].append(node)
        if tag not in _VOID:
            self._open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        depth = len(self._open)
        self.handle_starttag(tag, attrs)
        del self._open[depth:]

    def handle_endtag(self, tag: str) -> None:
        node = self._open.pop()
        around = self._open[-1]
        if tag == "title" and around["tag"] == "head":
            self.title = "".join(node["kids"])
        if tag in _UNSEEN:
            around["kids"].pop()
        elif tag == "svg" and all(one["tag"] != "svg" for one in self._open):
            around["kids"][-1:] = drawings.standalone(node)

    def handle_data(self, data: str) -> None:
        if all(one["tag"] != "pre" for one in self._open):
            data = _LONG.sub(lambda word: clip(word[0], _LONGEST), _BLANKS.sub(" ", data))
        self._open[-1]["kids"].append(data)
