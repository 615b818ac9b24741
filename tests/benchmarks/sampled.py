"""A run that notes where its CPU time goes: this Python's locust, sampled while it works.

The kernel's CPU timer interrupts it about 250 times in each second of CPU; the innermost frame of a
known layer is counted. Time in C code counts for the Python code that called it.
"""

import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Final

LAYERS: Final = (
    ("client/http/connection.py:_sent_at_once", "send"),
    ("client/http/connection.py:send", "send"),
    ("client/http/connection.py", "exchange and receive"),
    ("load/hub/waiting.py", "wait: watcher, hub, epoll"),
    ("/gevent/", "wait: watcher, hub, epoll"),
    ("client/http/", "HTTP parse"),
    ("client/mcp/", "message: attempt, id, arguments"),
    ("client/protocol/jsonrpc.py", "JSON-RPC: judge"),
    ("client/", "message: attempt, id, arguments"),
    ("load/steps/journey.py", "journey"),
    ("load/steps/checks.py", "expect and save"),
    ("load/steps/recorder.py", "recorder"),
    ("load/steps/locust_feed.py", "Locust and its statistics"),
    ("load/steps/", "step"),
    ("scenario/values/", "values and templates"),
    ("/locust/", "Locust and its statistics"),
    ("load/engine/", "turns and users"),
    ("results/", "journal and histograms"),
)
"""The beginning of a frame's name -> its layer; the first match counts."""
OTHER: Final = "all else"
_EVERY_S: Final = 0.001
counts: Counter[str] = Counter()


def layer(name: str) -> str | None:
    """Return the layer of a frame, by `file:function`."""
    return next((of for part, of in LAYERS if part in name), None)


def _sample(_number: int, frame: FrameType | None) -> None:
    while frame is not None:
        found = layer(f"{frame.f_code.co_filename}:{frame.f_code.co_name}")
        if found is not None:
            counts[found] += 1
            return
        frame = frame.f_back
    counts[OTHER] += 1


def main() -> None:
    """Run Locust with our arguments; count from the first user to the last; write the counts."""
    from locust import events
    from locust import main as of_locust

    @events.spawning_complete.add_listener
    def _begin(**_kwargs: object) -> None:
        signal.signal(signal.SIGPROF, _sample)
        signal.setitimer(signal.ITIMER_PROF, _EVERY_S, _EVERY_S)

    @events.test_stopping.add_listener
    def _end(**_kwargs: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        Path(os.environ["SAMPLES"]).write_text(json.dumps(counts))

    of_locust.main()


if __name__ == "__main__":
    sys.exit(main())
