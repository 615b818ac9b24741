"""The run key: master and workers drop every message that is not signed with it.

Each message of a run, Locust's own included, is one frame:

| kind | from | holds |
|---|---|---|
| `H` | worker | a signature of its name: who is there? |
| `W` | master | a number that it has drawn, and a signature of number and name |
| `M` | both | a signature, the count of the message in this direction, the message |
| `L` | master | a signature of the name: the run had begun before the worker came |
| `S` | master | nothing: the message that came was not signed with this key |

A signature is an HMAC (RFC 2104) with SHA-256. The key of each direction is made from the run key,
the master's number and the worker's name. Each worker has a different name, which Locust draws, and
each master a different number. So a message from another run, to another worker or in the other
direction is dropped. Because counts only go up, no message is accepted twice or too late, and a
count that is left out is a message that was lost, as when a connection breaks.
"""

import secrets
from collections import Counter
from collections.abc import Callable
from hmac import compare_digest, digest
from typing import Final

from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.numbers import counted

VARIABLE: Final = "MCP_PERF_RUN_KEY"
SHORTEST: Final = 16
TOO_LATE: Final = 92
"""The worker's share of the load is missing, as if the worker were lost."""
MOST_NAMED: Final = 20
_HELLO, _WELCOME, _MESSAGE, _LATE, _STRANGER = (kind.encode() for kind in "HWMLS")
_TAG_BYTES: Final = 32
_DRAWN_BYTES: Final = 16
_COUNT_BYTES: Final = 8


def usable(key: str) -> bytes:
    """Return the key's bytes. Raises Refusal if there is no key, or one that can be guessed."""
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
        self.missed = 0
        """How many messages were lost just before the last one that was opened."""

    def seal(self, message: bytes) -> bytes:
        self._said += 1
        counted = self._said.to_bytes(_COUNT_BYTES, "big") + message
        return _MESSAGE + digest(self._says, counted, "sha256") + counted

    def open(self, frame: bytes) -> bytes | None:
        """Return the message in a frame, or None if the frame is forged or a repetition."""
        tag, counted = frame[1 : 1 + _TAG_BYTES], frame[1 + _TAG_BYTES :]
        count = int.from_bytes(counted[:_COUNT_BYTES], "big")
        signed = _MESSAGE + digest(self._hears, counted, "sha256")
        if not compare_digest(signed, frame[:1] + tag) or count <= self._heard:
            return None
        self.missed, self._heard = count - self._heard - 1, count
        return counted[_COUNT_BYTES:]


class MasterEnd:
    """The master's end: hears workers with the key; during a run, only the workers of the run."""

    def __init__(self, key: bytes, tell: Callable[[str], None]) -> None:
        """Make the end. `tell` gets a text for each worker that is refused, once."""
        self.members: frozenset[str] | None = None
        """The workers of the run in progress."""
        self._refused: Counter[str] = Counter()
        self._missed: Counter[str] = Counter()
        self._tell = tell
        self._key = key
        self._drawn = secrets.token_bytes(_DRAWN_BYTES)
        self._signers: dict[str, Signer] = {}

    def knows(self, node: str) -> bool:
        """Tell whether a worker of this name was heard; only then can it be sent a message."""
        return node in self._signers

    def seal(self, node: str, message: bytes) -> bytes:
        return self._signers[node].seal(message)

    def hear(self, node: str, frame: bytes, address: str) -> tuple[bytes | None, bytes | None]:
        """Return the message that came from a node, and the frame to send back at once."""
        signer = self._signers.get(node)
        message = None if signer is None else signer.open(frame)
        if message is None and not compare_digest(frame, _frame(self._key, _HELLO, node)):
            self._refuse(node, address, "it has a different run key, or none")
            return None, _STRANGER
        if self.members is not None and node not in self.members:
            self._refuse(node, address, "it connected after the run had begun")
            return None, _frame(self._key, _LATE, node)
        if signer is not None and message is not None:
            if self.members is not None and signer.missed:
                self._missed[node] += signer.missed
            return message, None
        if signer is None:
            self._signers[node] = Signer(self._key, self._drawn, node, master=True)
        return None, _frame(self._key, _WELCOME, node, self._drawn)

    def refused(self) -> list[str]:
        """Return a sentence for each worker that was refused since the last call."""
        told = [f"{text} ({counted(count, 'message')})." for text, count in self._refused.items()]
        self._refused.clear()
        return told

    def missed(self) -> list[str]:
        """Return the workers of whose messages some were lost in runs since the last call."""
        found = [
            f"{node} ({counted(count, 'message')} did not arrive)"
            for node, count in self._missed.items()
        ]
        self._missed.clear()
        return found

    def _refuse(self, node: str, address: str, why: str) -> None:
        text = f"{node[:100]} at {address} is ignored: {why}"
        if text not in self._refused and len(self._refused) >= MOST_NAMED:
            text = "Further workers are ignored, too"
        self._refused[text] += 1
        if self._refused[text] == 1:
            self._tell(text)


class WorkerEnd:
    """A worker's end: obeys the master if the master has the key."""

    def __init__(self, key: bytes, node: str, master: str, tell: Callable[[str], None]) -> None:
        """Make the end. `tell` gets one text if messages from the address `master` are unsigned."""
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
        """Return the frame of a message, or of a hello if the master is not known yet."""
        if self._signer is None:
            return _frame(self._key, _HELLO, self.node)
        return self._signer.seal(message)

    def hear(self, frame: bytes) -> bytes | None:
        """Return the message that came, if any. Raises Refusal if the worker is not wanted."""
        drawn = frame[1 : 1 + _DRAWN_BYTES]
        if self._signer is not None and (message := self._signer.open(frame)) is not None:
            return message
        if compare_digest(frame, _frame(self._key, _LATE, self.node)):
            late = f"worker {self.node} connected after the run had begun"
            raise Refusal(f"{late}: start workers before the run", code=TOO_LATE)
        if compare_digest(frame, _frame(self._key, _WELCOME, self.node, drawn)):
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
    """Sign a statement about a node. `drawn` has a fixed length or comes last."""
    return digest(key, b"\0".join((what, node.encode(), drawn)), "sha256")


def _frame(key: bytes, kind: bytes, node: str, drawn: bytes = b"") -> bytes:
    return kind + drawn + _sign(key, kind, node, drawn)
