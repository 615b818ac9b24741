"""Whether a refusal says that the server no longer knows the session, and what became of it.

The specification has one spelling, HTTP 404. Servers have many: `SPELLINGS` recognizes them by
status, code and wording. A refusal that is not listed is recognized by its repetition: a session
that has answered calls, and now refuses every call in the same way, is given up (`Doubt`).
"""

import re
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from mcp_perf.client.protocol import jsonrpc
from mcp_perf.client.reply import Reply
from mcp_perf.outcomes import HTTP_ERROR, RPC_ERROR, TRANSPORT_ERROR

FORGOT: Final = "forgot"
EVICTED: Final = "evicted"
"""Thrown out to make room for another one."""
RESTARTED: Final = "restarted"
"""The server is a new one, which waits for `initialize`."""
ELSEWHERE: Final = "elsewhere"
"""Not known although it was just opened: a process other than the one that was reached has it."""
RELISTED: Final = "relisted"
RESUMED: Final = "resumed"
"""What else is healed within a call: tools that had changed, a stream that had ended."""

PATIENCE: Final = 3
"""How many identical refusals in a row make a session suspect."""
_READ_BYTES: Final = 600

_SESSION: Final = (
    r"(?<!database )(?<!browser )(?<!login )(?<!shell )(?<!user )(?<!ssh )(?<!db )"
    r"(?<!chat )(?<!training )(?<!debug )(?<!terminal )(?<!game )(?<!checkout )(?<!payment )"
    r"\bsessions?(?: ids?)?\b"
)
"""A session of MCP, not one that tools have."""
_GONE: Final = (
    r"\b(?:not (?:be )?(?:found|valid|exist|active|recogni[sz]ed|known|available)|unknown|"
    r"un?recogni[sz]ed|invalid|expired|missing|required|no longer|doesn't exist|terminated|"
    r"closed|gone|stale|inactive|lost|timed out|time ?out|idle|ended|deleted|destroyed|removed|"
    r"disconnected|lookup failed)\b"
)
_OUSTED: Final = r"\b(?:evicted|displaced|superseded|replaced|taken over|kicked)\b"
_FEW: Final = r"[^{}<>]{0,70}?"
_FULL: Final = re.compile(
    r"\b(?:too many|maximum|max|limit (?:of|on)|no more)\b(?: \w+){0,2} "
    r"(?:sessions|connections|clients)\b|"
    r"\b(?:no (?:free|available)|out of|(?:create|open|start|accept) (?:any )?more) "
    r"(?:session|connection|client)(?:s| slots?)\b|"
    r"\ball (?:\w+ )?(?:sessions|connections|slots) (?:are )?(?:in use|busy|taken|used)\b|"
    r"\b(?:session|connection|client)s? (?:limit|cap|quota)\b|"
    r"\b(?:sessions?|server|pool)\b.{0,20}\b(?:full|exhausted|at capacity)\b"
)
_EVICTION: Final = re.compile(
    rf"{_SESSION}{_FEW}{_OUSTED}|{_OUSTED}{_FEW}{_SESSION}|\btoo many sessions\b|\bsession limit\b"
)
_LOSS: Final = re.compile(
    rf"{_SESSION}{_FEW}{_GONE}|"
    rf"(?:{_GONE}|\b(?:no|find|locate|not in|match any)\b)[^{{}}<>]{{0,30}}?{_SESSION}|"
    rf"\b(?:start|open|create|begin) a new session\b|"
    rf"\bno transport\b|\btransport\b{_FEW}\bnot found\b"
)
_NEW: Final = re.compile(
    r"\bnot (?:yet )?(?:been )?(?:yet )?initiali[sz]ed\b|\buninitiali[sz]ed\b|"
    r"\bre ?initiali[sz]e|\binitiali[sz]\w+ (?:first|again|required|is required|expected)\b|"
    r"\bhandshake (?:is )?(?:required|first|missing|expected|not (?:done|complete))|"
    r"\b(?:must|before|expected|requires?|missing|without|no|send)\b(?: \w+){0,2} initiali[sz]"
)


class Spelling(NamedTuple):
    """One spelling; every part of it has to fit."""

    statuses: Container[int]
    """0 is the status over a transport without HTTP."""
    codes: Container[int]
    """Codes of the JSON-RPC error; 0 if the reply is not one."""
    wording: re.Pattern[str] | None
    """What the beginning of the reply has to contain, as `plain` writes it; None takes anything."""
    kind: str
    """What became of the session; empty: nothing."""


_ANY: Final = range(-(2**63), 2**63)
_RPC: Final = (jsonrpc.NO_HTTP, 200)
_MISSING: Final = (404, 410)
_OF_THE_CALL: Final = (jsonrpc.METHOD_NOT_FOUND, jsonrpc.INVALID_PARAMS)
SPELLINGS: Final = (
    # Within a response, this code is about the parameters of the call.
    Spelling(_RPC, (jsonrpc.INVALID_PARAMS,), None, ""),
    Spelling(_ANY, _ANY, _EVICTION, EVICTED),
    Spelling(_ANY, _ANY, _LOSS, FORGOT),
    Spelling(_ANY, _ANY, _NEW, RESTARTED),
    # The specification's own spelling. A missing method or tool is recognized by the code.
    Spelling(_MISSING, _OF_THE_CALL, None, ""),
    Spelling(_MISSING, _ANY, None, FORGOT),
)
"""What a refusal in an open session says about it. The first row that fits decides."""


def loss_in(reply: Reply) -> str:
    """Return what became of the session, according to a refusal sent in it; empty: nothing."""
    if reply.outcome not in (RPC_ERROR, HTTP_ERROR):
        return ""
    error = jsonrpc.error_of(reply)
    return loss(reply.status, reply.body, 0 if error is None else error.code)


def loss(status: int, body: bytes, code: int = 0) -> str:
    """Look a refusal up in the table."""
    said = plain(body[:_READ_BYTES].decode("utf-8", "replace"))
    for statuses, codes, wording, kind in SPELLINGS:
        if status in statuses and code in codes and (wording is None or wording.search(said)):
            return kind
    return ""


def is_full(text: str) -> bool:
    """Tell whether a server refuses a session because it has as many as it takes."""
    return _FULL.search(plain(text)) is not None


def plain(text: str) -> str:
    """Write `sessionNotFound` and `session_not_found` as `session not found`."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return " ".join(re.sub(r"[_-]", " ", words).lower().split())


@dataclass(eq=False, slots=True)
class Standing:
    """How the calls of one session fare."""

    works: bool = False
    """Whether a call was ok since the last refusal."""
    worked: bool = False
    """Whether a call was ok before that refusal."""
    refusal: str = ""
    count: int = 0
    """How often this refusal came in a row."""


@dataclass(eq=False, slots=True)
class Doubt:
    """What one client concludes from refusals that are not listed.

    A refusal that a session survives, or that the next session also gets, is not about sessions.
    """

    given_up_for: str = ""
    """The refusal that made the last session suspect."""
    acquitted: set[str] = field(default_factory=set)

    def falls_on(self, standing: Standing, reply: Reply) -> bool:
        """Take in a failed call of a session; tell whether the session is to be given up."""
        if not _may_be_about_the_session(reply):
            return False
        refusal = without_numbers(reply.detail)
        works, standing.works = standing.works, False
        standing.worked = standing.worked or works
        survived = works and refusal == standing.refusal
        if survived or (refusal == self.given_up_for and not standing.worked):
            self.acquitted.add(refusal)
        same = refusal == standing.refusal and not works
        standing.count = standing.count + 1 if same else 1
        standing.refusal = refusal
        if refusal in self.acquitted or not standing.worked or standing.count < PATIENCE:
            return False
        self.given_up_for = refusal
        return True

    def acquits(self, failure: str) -> bool:
        """Tell whether opening another session gets the same refusal; then the old one is kept."""
        if not self.given_up_for or self.given_up_for not in without_numbers(failure):
            return False
        self.acquitted.add(self.given_up_for)
        self.given_up_for = ""
        return True


def _may_be_about_the_session(reply: Reply) -> bool:
    if reply.outcome == TRANSPORT_ERROR:
        return reply.status != jsonrpc.NO_HTTP  # a response without an answer
    if reply.outcome not in (RPC_ERROR, HTTP_ERROR):
        return False
    error = jsonrpc.error_of(reply)
    return error is None or error.code not in _OF_THE_CALL


def without_numbers(text: str) -> str:
    """Make refusals equal that differ only in ids, times and counts."""
    return re.sub(r"\b[0-9a-f]*\d[0-9a-f-]*\b", "#", text.lower())
