"""The flags of the system, and the two presets: the only difference between the two arms."""

import argparse
from pathlib import Path
from typing import Final, Literal, get_args, get_type_hints

import msgspec

from mcp_targets.serving import processes, service_time

UPSTREAMS: Final = (
    "peer_status",
    "peer_load",
    "peer_storage",
    "p2p_network",
    "github",
    "public_ip",
    "pubmed",
    "clinical_trials",
    "uniprot",
)
"""The providers that it calls; the headline comparison is about the first three."""
THREADS: Final = 40
"""How many calls a bridge runs at once by default: anyio's default number of worker threads."""


class Settings(msgspec.Struct, frozen=True):
    """How tool calls are run."""

    bridge: Literal["per_call", "native"]
    """`per_call`: uvicorn's loop hands each call to a thread that starts a new loop for it.
    `native`: the server's loop runs it."""
    pool: Literal["off", "on"]
    """Whether connections to upstreams are kept as long as the loop that opened them lives."""
    fanout: Literal["seq", "par"]
    """Whether independent upstream calls run one after the other or at once."""
    limiter: int
    """The most calls at once; 0 means no limit."""
    cache: Literal["off", "on"]
    """Whether results of tools with a `cache_ttl` are kept."""
    runtime: Literal["asyncio", "trio"]
    """The kind of loop that peer-to-peer tools run on."""
    delay_s: float = 0.0
    """Added to every call, for trying whether a comparison notices."""

    @property
    def server(self) -> Literal["asyncio", "trio"]:
        """The kind of the server's loop."""
        return self.runtime if self.bridge == "native" else "asyncio"

    @property
    def slots(self) -> int:
        """The most calls at once, with the bridge's default; 0 means no limit."""
        return self.limiter or (THREADS if self.bridge == "per_call" else 0)

    def describe(self) -> str:
        """Return the settings as a query, for use in a scenario."""
        shown = {name: getattr(self, name) for name in CHOICES if name != "preset"}
        shown["limiter"] = str(self.limiter)
        return "&".join(f"{name}={value}" for name, value in shown.items())


PRESETS: Final = {
    "control": Settings("per_call", "off", "seq", 0, "off", "trio"),
    "dual": Settings("native", "on", "par", 0, "off", "trio"),
}

CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "preset": tuple(PRESETS),
    **{name: words for name, kind in get_type_hints(Settings).items() if (words := get_args(kind))},
}
"""The flags that take one of some words, with these words."""
MEANINGS: Final = {
    "preset": "sets all of the following; each can still be changed (default: dual)",
    "bridge": "per_call: a thread and a new loop for each call; native: the server's loop",
    "pool": "on: upstream connections are kept",
    "fanout": "par: independent upstream requests are made at once; seq: one after the other",
    "cache": "on: results of tools with a cache_ttl are used again",
    "runtime": "the kind of event loop that the tools run on",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags as options."""
    for name, words in CHOICES.items():
        start = "dual" if name == "preset" else None
        parser.add_argument(f"--{name}", choices=words, default=start, help=MEANINGS[name])
    parser.add_argument("--limiter", type=_limit, help="the most calls at once (0: no limit)")
    parser.add_argument(
        "--delay", type=service_time.argument, help='a time to add to every call, such as "40ms"'
    )
    parser.add_argument(
        "--root",
        type=Path,
        help="the folder that run_tests may work in (default: a new one)",
    )
    processes.add_upstream(parser)


def from_arguments(options: argparse.Namespace) -> Settings:
    """Return the preset, changed by the flags that were given."""
    names = [name for name in (*CHOICES, "limiter") if name != "preset"]
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    delay_s = 0.0 if options.delay is None else options.delay
    return msgspec.structs.replace(PRESETS[options.preset], **given, delay_s=delay_s)


def _limit(text: str) -> int:
    if not text.isdecimal() or int(text) > 10_000:
        raise argparse.ArgumentTypeError(f"{text!r}: write a whole number from 0 to 10000")
    return int(text)
