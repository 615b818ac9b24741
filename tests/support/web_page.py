"""Locust's web page for tests: started as a user starts it, in a separate process."""

import contextlib
import http.cookiejar
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.parse
import urllib.request

import pytest
from playwright.sync_api import sync_playwright

from mcp_perf import folders
from tests.support import ROOT
from tests.support.waiting import answers, free_port, until

QUICK = "load: {users: 3, rounds: 2, round: 200ms, warmup: 100ms}"
ENDLESS = "load: {users: 3, rounds: 2, round: 600s, warmup: 0s, spawn_rate: 50}"
BROWSER = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DIRECT = urllib.request.ProxyHandler({})
OPENS = re.compile(r"http://\S+\?key=\S+")
"""The printed address, which lets a browser in."""


class Page:
    """A running `mcp-perf web`."""

    def __init__(self, folder, *arguments, **environ):
        self.folder = folder
        self.port = free_port()
        below = dict(itertools.pairwise(arguments)).get("--web-base-path", "")
        self.url = f"http://127.0.0.1:{self.port}{below}"
        self.log = folder / "locust.log"
        self.password = environ.get("MCP_PERF_WEB_PASSWORD", "")
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(
            DIRECT, urllib.request.HTTPCookieProcessor(self.cookies)
        )
        command = [
            sys.executable, "-m", "mcp_perf", "web", "--web-port", str(self.port), *arguments,
        ]  # fmt: skip
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=folder, env={**os.environ, **environ}
            )

    @property
    def address(self):
        """Return the address to open, as the terminal shows it."""
        return self.url if self.password else OPENS.search(self.log.read_text())[0]

    @property
    def cookie(self):
        """Return the header of a browser that was let in."""
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.cookies)

    def enter(self):
        """Open the page as its user; return whether it is there."""
        assert self.process.poll() is None, self.log.read_text()
        if answers(self.port):
            if self.password:
                self.load("/login", {"password": self.password})
            else:
                self.opener.open(self.address, timeout=300).close()
        return self.cookie

    def load(self, path, form=None):
        """Return the content of an address, or the answer to a form."""
        body = None if form is None else urllib.parse.urlencode(form).encode()
        with self.opener.open(self.url + path, body, timeout=300) as reply:
            return reply.read().decode()

    def get(self, path):
        """Return the content of an address."""
        return self.load(path)

    def post(self, path, **form):
        """Post a form; return the JSON of the answer."""
        return json.loads(self.load(path, form))

    def start(self, scenario, **form):
        """Press Start as the page does, with every field."""
        form = {"user_count": 3, "spawn_rate": 3, "host": "", "target": "", "run_time": "", **form}
        return self.post("/swarm", scenario=scenario, **form)

    def state(self):
        """Return Locust's state."""
        return json.loads(self.get("/stats/requests"))["state"]

    def until(self, condition):
        """Wait for a true value; return it."""
        return until(condition, lambda: f"it came to nothing\n{self.log.read_text()[-3000:]}")

    def runs(self):
        """Return the folders of the runs so far, the latest last."""
        found = folders.runs(self.folder).glob("*/")
        return sorted(found, key=lambda folder: folder.stat().st_mtime_ns)

    def wait_for_run(self, before):
        """Wait for the end of the run after `before` earlier ones; return its report."""
        self.until(lambda: len(self.runs()) > before and self.state() == "stopped")
        run = next(folder for folder in self.runs() if folder not in self.seen)
        self.until((run / "report.html").exists)
        return run, json.loads((run / "report.json").read_text())

    @contextlib.contextmanager
    def expecting_a_run(self):
        """Collect the run that the body starts."""
        self.seen = self.runs()
        yield
        self.found = self.wait_for_run(len(self.seen))

    def close(self):
        """Press Ctrl-C."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(300)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


@contextlib.contextmanager
def opened(folder, *arguments, **environ):
    """Start the page in a folder with two scenarios of its user."""
    (folder / "scenarios").mkdir()
    echo = (ROOT / "scenarios" / "start" / "echo.yaml").read_text()
    for name, load in (("quick", QUICK), ("endless", ENDLESS)):
        text = re.sub(r"^load: .*$", load, echo, flags=re.MULTILINE)
        own = folder / "scenarios" / f"{name}.yaml"
        own.write_text(text.replace("name: echo", f"name: {name}"))
    page = Page(folder, "--scenario", "quick", *arguments, **environ)
    try:
        page.until(page.enter)
        yield page
    finally:
        page.close()


@contextlib.contextmanager
def chromium(*arguments):
    """Start a browser."""
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("no chromium on the PATH: install it (apt-get install chromium)")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=[*BROWSER, *arguments])
        yield running
        running.close()
