"""The run key: master and workers hear nothing that is not signed with it.

Each message of a run, Locust's own included, is one frame:

| kind | from | holds |
|---|---|---|
| `H` | worker | a signature of its name: who is there? |
| `W` | master | a number that it has drawn, and a signature of number and name |
| `M` | both | a signature, the count of the message in this direction, the message |
| `L` | master | a signature of the name: the run had begun before the worker came |
| `S` | master | nothing: what came was not signed with this key |

A signature is an HMAC (RFC 2104) with SHA-256. The key of each direction is made from the run key,
the master's number and the worker's name. Each worker has a name of its own, which Locust draws,
and each master a number. So what was said in another run, to another worker or in the other
direction is not heard; and as counts only go up, nothing is heard twice or too late.
"""

import hmac
import secrets
from collections import Counter
from collections.abc import Callable
from typing import Final

from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.numbers import counted

VARIABLE: Final = "MCP_PERF_RUN_KEY"
SHORTEST: Final = 16
TOO_LATE: Final = 92
"""Its share of the load is missing, as that of a lost worker."""
MOST_NAMED: Final = 20
_HELLO, _WELCOME, _MESSAGE, _LATE, _STRANGER = (kind.encode() for kind in "HWMLS")
_TAG_BYTES: Final = 32
_DRAWN_BYTES: Final = 16
_COUNT_BYTES: Final = 8


def usable(key: str) -> bytes:
    """Return the key's bytes. Raises Refusal if there is none, or if it can be guessed."""
    if not key:
        raise Refusal(
            f"{VARIABLE} is not set: set it to the same key, of at least "
            f"{SHORTEST} characters, for the master and all workers"
        )
    if len(key) < SHORTEST:
        raise Refusal(f"{VARIABLE} has {len(key)} characters: use at least {SHORTEST}")
    return key.encode()


class Signer:
    """Both directions between a master and one worker, as one of them sees it."""

    def __init__(self, key: bytes, drawn: bytes, node: str, *, master: bool) -> None:
        down, up = (_sign(key, way, node, drawn) for way in (b"down", b"up"))
        self._says, self._hears = (down, up) if master else (up, down)
        self._said = self._heard = 0

    def seal(self, message: bytes) -> bytes:
        self._said += 1
        counted = self._said.to_bytes(_COUNT_BYTES, "big") + message
        return _MESSAGE + hmac.digest(self._says, counted, "sha256") + counted

    def open(self, frame: bytes) -> bytes | None:
        """Return the message in a frame, or None if it is forged, or was heard before."""
        tag, counted = frame[1 : 1 + _TAG_BYTES], frame[1 + _TAG_BYTES :]
        count = int.from_bytes(counted[:_COUNT_BYTES], "big")
        signed = _MESSAGE + hmac.digest(self._hears, counted, "sha256")
        if not hmac.compare_digest(signed, frame[:1] + tag) or count <= self._heard:
            return None
        self._heard = count
        return counted[_COUNT_BYTES:]


class MasterEnd:
    """The master's: hears workers that have the key, and during a run those that it began with."""

    def __init__(self, key: bytes, tell: Callable[[str], None]) -> None:
        """`tell` hears of everybody who is refused, once."""
        self.members: frozenset[str] | None = None
        """The workers of the run in progress."""
        self._refused: Counter[str] = Counter()
        self._tell = tell
        self._key = key
        self._drawn = secrets.token_bytes(_DRAWN_BYTES)
        self._signers: dict[str, Signer] = {}

    def knows(self, node: str) -> bool:
        """Tell whether a worker of this name was heard; only then it can be spoken to."""
        return node in self._signers

    def seal(self, node: str, message: bytes) -> bytes:
        return self._signers[node].seal(message)

    def hear(self, node: str, frame: bytes, address: str) -> tuple[bytes | None, bytes | None]:
        """Return the message that came from a node, and the frame to be sent back at once."""
        signer = self._signers.get(node)
        message = None if signer is None else signer.open(frame)
        if message is None and not _same(frame, _HELLO + _sign(self._key, _HELLO, node)):
            self._refuse(node, address, "it has a different run key, or none")
            return None, _STRANGER
        if self.members is not None and node not in self.members:
            self._refuse(node, address, "it connected after the run had begun")
            return None, _LATE + _sign(self._key, _LATE, node)
        if message is not None:
            return message, None
        if signer is None:
            self._signers[node] = Signer(self._key, self._drawn, node, master=True)
        return None, _WELCOME + self._drawn + _sign(self._key, _WELCOME, node, self._drawn)

    def refused(self) -> list[str]:
        """Return a sentence for each who was refused since this was last asked."""
        told = [f"{text} ({counted(count, 'message')})." for text, count in self._refused.items()]
        self._refused.clear()
        return told

    def _refuse(self, node: str, address: str, why: str) -> None:
        text = f"{node[:100]} at {address} is ignored: {why}"
        if text not in self._refused and len(self._refused) >= MOST_NAMED:
            text = "Further workers are ignored, too"
        self._refused[text] += 1
        if self._refused[text] == 1:
            self._tell(text)


class WorkerEnd:
    """A worker's: obeys the master if that has the key."""

    def __init__(self, key: bytes, node: str, master: str, tell: Callable[[str], None]) -> None:
        """`master` is its address; `tell` hears once that what comes from there is not signed."""
        self.node = node
        self._key = key
        self._master = master
        self._tell: Callable[[str], None] | None = tell
        self._signer: Signer | None = None

    @property
    def known(self) -> bool:
        """Tell whether the master has said who it is."""
        return self._signer is not None

    def seal(self, message: bytes) -> bytes:
        """Return the frame of a message to the master, or of the question who it is."""
        if self._signer is None:
            return _HELLO + _sign(self._key, _HELLO, self.node)
        return self._signer.seal(message)

    def hear(self, frame: bytes) -> bytes | None:
        """Return the message that came, if any. Raises Refusal if the worker is not wanted."""
        drawn = frame[1 : 1 + _DRAWN_BYTES]
        if self._signer is not None and (message := self._signer.open(frame)) is not None:
            return message
        if _same(frame, _LATE + _sign(self._key, _LATE, self.node)):
            late = f"worker {self.node} connected after the run had begun"
            raise Refusal(f"{late}: start workers before the run", code=TOO_LATE)
        if _same(frame, _WELCOME + drawn + _sign(self._key, _WELCOME, self.node, drawn)):
            if self._signer is None:
                self._signer = Signer(self._key, drawn, self.node, master=False)
            return None
        if frame == _STRANGER and self._signer is None:
            differs = f"the master at {self._master} has a different run key"
            raise Refusal(f"{differs}: set {VARIABLE} to the same key there and here")
        if self._tell is not None:
            self._tell(f"Messages from {self._master} are not signed with the run key")
            self._tell = None
        return None


def _sign(key: bytes, what: bytes, node: str, drawn: bytes = b"") -> bytes:
    """Sign what is said of a node. `drawn` is of one length, or the last."""
    return hmac.digest(key, b"\0".join((what, node.encode(), drawn)), "sha256")


def _same(frame: bytes, right: bytes) -> bool:
    return hmac.compare_digest(frame, right)
