"""The numbers that a target reports about itself: its page of Prometheus metrics.

The names come from the client libraries: prometheus.io/docs/instrumenting/writing_clientlibs.
"""

import math
from collections.abc import Sequence
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from mcp_perf.client.errors import TargetError
from mcp_perf.client.http.endpoint import Endpoint, with_body
from mcp_perf.client.http.rest import RestClient, encode_fields
from mcp_perf.client.reply import Reply
from mcp_perf.load.watch.process_tree import Reading
from mcp_perf.outcomes import OK

TIMEOUT_S: Final = 2.0
CPU: Final = "process_cpu_seconds_total"
RSS: Final = "process_resident_memory_bytes"
FDS: Final = "process_open_fds"
THREADS: Final = ("process_threads", "go_threads")
_WANTED: Final = (CPU, RSS, FDS, *THREADS)


class NoMetrics(Exception):  # noqa: N818 -- the page's fault
    """The page could not be read, or has nothing useful; the message says which."""


def fetched(method: str, url: str, headers: Sequence[tuple[str, str]] = ()) -> Reply:
    """Make one request, on a new connection. Raises TargetError, or ValueError for a bad URL."""
    endpoint = Endpoint.of(url, timeout_s=TIMEOUT_S)
    head = endpoint.line(method, endpoint.target) + encode_fields(endpoint, [*headers])
    client = RestClient(endpoint)
    try:
        client.ready()
        return client.send(with_body(head, b"") if method == "POST" else head + b"\r\n")
    finally:
        client.close()


class MetricsPage:
    """A page, fetched for every reading on a new connection."""

    blocks = False

    def __init__(self, url: str) -> None:
        self._url = url

    def refresh(self) -> None:
        """Do nothing, because the target itself knows its processes."""

    def read(self) -> Reading:
        """Fetch the page. Raises NoMetrics, or ValueError if its address is not one."""
        try:
            reply = fetched("GET", self._url, [("Accept", "text/plain;version=0.0.4")])
        except TargetError as error:
            raise NoMetrics(f"{self._url} cannot be fetched: {error}") from error
        if reply.outcome != OK:
            raise NoMetrics(f"{self._url} cannot be fetched: {reply.detail}")
        try:
            found = parse(reply.body)
        except (ValueError, LookupError) as error:
            raise NoMetrics(f"{self._url} does not return Prometheus metrics") from error
        if found.cpu_s is None and found.rss_bytes is None:
            raise NoMetrics(f"{self._url} has neither {CPU} nor {RSS}")
        return found


def parse(page: bytes) -> Reading:
    """Read a page's numbers about its process, summed over all label values.

    Only the lines in question are parsed, because a page may have thousands, and a reading must
    not keep the users waiting. Raises ValueError if it is not such a page.
    """
    lines = [line for line in page.decode().splitlines() if line.startswith(_WANTED)]
    found: dict[str, float] = {}
    for family in text_string_to_metric_families("\n".join(lines)):
        for sample in filter(lambda sample: math.isfinite(sample.value), family.samples):
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    whole = {name: int(value) for name, value in found.items()}
    return Reading(
        cpu_s=found.get(CPU),
        rss_bytes=whole.get(RSS),
        threads=next((whole[name] for name in THREADS if name in whole), None),
        fds=whole.get(FDS),
    )
