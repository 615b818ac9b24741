"""A target's own page of metrics: what is read from it, and the message for a bad one."""

import socket
import threading
from contextlib import contextmanager

import pytest
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from mcp_perf.load.watch.process_tree import Reading
from mcp_perf.load.watch.prometheus import MetricsPage, NoMetrics, parse
from tests.support.waiting import free_port

PAGE = b"""\
# HELP process_cpu_seconds_total Total user and system CPU time spent in seconds.
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 12.5
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 1.5e+07
process_open_fds 9.0
process_max_fds 1024
go_threads 11
http_requests_total{path="/a{b}\\"c"} 3
"""


@contextmanager
def serving(*pages: bytes, status: str = "200 OK"):
    """Serve pages one after the other, each on a new connection; yield the address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            for page in pages:
                connection, _ = server.accept()
                with connection:
                    connection.recv(65536)
                    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(page)}\r\n\r\n"
                    connection.sendall(head.encode() + page)

        thread = threading.Thread(target=run)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/metrics?x=1"
        thread.join(10)


def test_the_numbers_of_the_process_are_read():
    """They are CPU, memory, descriptors and threads, by the names of the client libraries."""
    assert parse(PAGE) == Reading(
        cpu_s=12.5, rss_bytes=15_000_000, threads=11, fds=9, processes=None
    )


def test_a_page_of_the_python_client_is_read():
    """The numbers that Python's client library writes about this process come back."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    found = parse(generate_latest(registry))
    assert found.cpu_s > 0
    assert found.rss_bytes > 1_000_000
    assert found.fds > 2


def test_several_processes_on_one_page_add_up():
    """A page with one line per worker shows what all of them use."""
    page = b'process_cpu_seconds_total{w="1"} 1\nprocess_cpu_seconds_total{w="2"} 2.5\n'
    assert parse(page).cpu_s == 3.5


@pytest.mark.parametrize(
    "page", [b"process_cpu_seconds_total NaN\n", b"process_cpu_seconds_total +Inf\n", b"", b"x 1\n"]
)
def test_what_is_no_number_is_not_known(page):
    """NaN and infinity are not numbers, and a page may lack all of the numbers."""
    assert parse(page) == Reading()


def test_a_page_is_fetched_anew_for_every_reading():
    """Each reading has the page's present numbers."""
    later = PAGE.replace(b"12.5", b"13.5")
    with serving(PAGE, later) as url:
        page = MetricsPage(url)
        assert [page.read().cpu_s, page.read().cpu_s] == [12.5, 13.5]


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (PAGE, "404 Not Found", "cannot be fetched: HTTP 404"),
        (b"http_requests_total 3\n", "200 OK", "neither process_cpu_seconds_total nor"),
        (b"process_cpu_seconds_total{ x\n", "200 OK", "does not return Prometheus metrics"),
        (b"process_cpu_seconds_total\n", "200 OK", "does not return Prometheus metrics"),
        (b"\xff\xfe process_open_fds", "200 OK", "does not return Prometheus metrics"),
    ],
)
def test_a_page_of_no_use_says_why(content, status, said):
    """A sentence names the address, and what is wrong with it."""
    with serving(content, status=status) as url, pytest.raises(NoMetrics) as error:
        MetricsPage(url).read()
    assert url in str(error.value)
    assert said in str(error.value)


def test_a_page_that_nobody_serves_says_so():
    """A dead port is reported in plain words."""
    port = free_port()
    with pytest.raises(NoMetrics, match="connection refused"):
        MetricsPage(f"http://127.0.0.1:{port}/metrics").read()
