"""How many sessions the users of this node have open, once a second and before each turn."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import gevent
import psutil

from mcp_perf.load.targets.clients import ToolClient
from mcp_perf.results.journal.records import AnyRecord, SessionCount

PERIOD_S: Final = 1.0


@dataclass(eq=False)
class SessionWatch:
    """Counts open sessions by looking at the clients, so that it costs no call anything.

    `clients` returns, for each arm that can have sessions, the client of every user.
    """

    node: str
    clients: Callable[[], Mapping[str, Iterable[ToolClient]]]
    users: Callable[[], int]
    sink: Callable[[list[AnyRecord]], None]
    now_s: Callable[[], float]
    memory: Callable[[], int] = lambda: int(psutil.Process().memory_info().rss)
    _greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Count now, before there are users, and every second from now on."""
        self.note()
        self._greenlet = gevent.spawn(self._go_on)

    def stop(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill()
        self.note()

    def note(self) -> None:
        """Record how many are open now, unless no arm can have any."""
        counted = {arm: _open(clients) for arm, clients in self.clients().items()}
        if counted:
            record = SessionCount(
                node=self.node,
                at_s=self.now_s(),
                users=self.users(),
                open={arm: sessions for arm, (sessions, _) in counted.items()},
                streams={arm: streams for arm, (_, streams) in counted.items()},
                rss_bytes=self.memory(),
            )
            self.sink([record])

    def _go_on(self) -> None:
        while True:
            gevent.sleep(PERIOD_S)
            self.note()


def _open(clients: Iterable[ToolClient]) -> tuple[int, int]:
    """Count sessions and streams; a client that several users share counts once."""
    distinct: Sequence[ToolClient] = list({id(client): client for client in clients}.values())
    return sum(one.has_session for one in distinct), sum(one.has_stream for one in distinct)
