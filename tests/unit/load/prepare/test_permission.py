"""Which servers a run may load, and how much, before it has to ask."""

import sys
from pathlib import Path

import pytest

from mcp_perf.client.http import dialing
from mcp_perf.load.prepare import permission
from mcp_perf.load.prepare.permission import (
    NOBODY,
    User,
    at_terminal,
    paced,
    pause_needed,
    permit_more,
    settle,
)
from mcp_perf.load.prepare.prepare import RunOptions, prepare
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.scenario.loader import load_text

FIGURES = {"big.test": "8.8.8.8", "mine.test": "10.0.0.7", "cloud.test": "169.254.169.254"}
TEXT = """\
name: demo
arms:
  one: {http: "http://HOST/api"}
  two: {http: "http://mine.test"}
journeys:
  browse:
    one: [{get: /a}, {wait: 1s}, {parallel: [{get: /b}, {get: /c}]}]
    two: [{get: /a}]
load: LOAD
"""
CLOSED, OPEN, SEARCH = "{users: 2}", "{rate: 10/s}", "{shape: breakpoint}"


@pytest.fixture(autouse=True)
def _names(monkeypatch):
    """Resolve the names of this file, and no others."""

    def look_up(host: str, port: int) -> list[dialing.Peer]:
        if host not in FIGURES:
            raise OSError("unknown")
        return [(2, (FIGURES[host], port))]

    monkeypatch.setattr(dialing, "look_up", look_up)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def needed(host="big.test", load=CLOSED, *, typed=True, allowed=(), users=2, user=NOBODY, more=""):
    """Return the pause that a run needs, with one arm at this host."""
    text = TEXT.replace("HOST", host).replace("LOAD", load) + more
    loaded = load_text(text, "demo.yaml", Path(), environ={})
    lines = {name: arm.address for name, arm in loaded.scenario.arms.items()}
    said = [f"one=http://{host}/api"] if typed else ["one=http://not-big.test"]
    return pause_needed(loaded, lines, users, said, allowed, user)


def refused(**case) -> str:
    """Return the message with which such a run is refused."""
    with pytest.raises(Refusal) as refusal:
        needed(**case)
    assert refusal.value.exit_code == 104
    return str(refusal.value)


def test_an_address_that_only_a_proxy_knows_may_be_public():
    """It needs the same permission; so does the proxy if a file names it."""
    proxy = '", proxy: "http://mine.test:3128"}  #'
    assert needed("hidden.test", load="{users: 21}") == 0
    assert "hidden.test is a public address" in refused(
        host="hidden.test" + proxy, load="{users: 21}", users=21
    )
    public = "mine.test" + proxy.replace("mine", "big")
    assert "big.test is a public address (the scenario names it" in refused(
        host=public, typed=False
    )


def test_a_proxy_of_the_environment_is_named_in_the_report(monkeypatch):
    """Other clients would use it, but calls of a run do not."""
    monkeypatch.setenv("HTTP_PROXY", "http://p.test:3128")
    loaded = load_text(
        TEXT.replace("HOST", "mine.test").replace("LOAD", CLOSED), "x", Path(), environ={}
    )
    lines = {name: arm.address for name, arm in loaded.scenario.arms.items()}
    _, remarks = settle(loaded, lines, 2, [], [], User(NOBODY.ask, str))
    assert [one.partition(" is set")[0] for one in remarks] == [
        "one: HTTP_PROXY",
        "two: HTTP_PROXY",
    ]


def test_a_run_says_what_it_does_and_how_it_was_slowed_down():
    """It does so before anything is done. The report notes the latter, and what is insecure."""
    text = TEXT.replace("HOST", "big.test").replace("LOAD", CLOSED)
    text = text.replace('/api"', '/api", tls: {verify: false}')
    loaded = load_text(text, "demo.yaml", Path(), environ={})
    lines = {name: arm.address for name, arm in loaded.scenario.arms.items()}
    said: list[str] = []
    user = User(NOBODY.ask, said.append)
    slowed, remarks = settle(loaded, lines, 2, ["one=http://big.test"], [], user)
    assert slowed == "load.think=120ms"
    assert said[0] == "at most 2 users call big.test, mine.test"
    assert said[1:] == remarks[1:]
    assert remarks[1].startswith("Users think at least 120 ms")
    assert "was not checked" in remarks[0]
    assert settle(loaded, lines, 2, [], ["big.test"], user)[0] == ""


@pytest.mark.parametrize("host", ["mine.test", "unknown.test"])
def test_addresses_of_ones_own_take_any_load(host):
    """A file may name them, too. An unknown name is reported when it is tried."""
    assert needed(host, typed=False, users=5000) == 0
    assert needed(host, SEARCH, typed=False) == 0


def test_a_public_address_that_is_typed_takes_a_small_load_unasked():
    """Users of a closed load then think long enough to make at most 50 calls/s."""
    assert needed() == pytest.approx(0.12)
    assert needed(load="{users: 2, think: 1s}") == 0
    assert needed(load=OPEN) == 0


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ({"typed": False}, "the scenario names it, but the command does not"),
        ({"users": 21}, "21 users, but more than 20 need its owners' permission"),
        ({"load": "{rate: 20/s}"}, "60 calls/s, but more than 50 need its owners' permission"),
        ({"load": SEARCH}, "a search for the capacity loads it until it fails"),
    ],
)
def test_more_needs_the_owners_consent(case, why):
    """It is given with --allow, as the message says, or with a yes."""
    text = f"big.test is a public address ({why})"
    assert refused(**case) == f"{text}. If its owners agree to the load, add --allow big.test"
    asked: list[str] = []
    yes = User(lambda question: not asked.append(question))
    assert needed(**case, user=yes) == 0
    assert asked == [text]
    assert needed(**case, allowed=["Big.test"]) == 0


def test_a_run_gets_no_more_users_than_it_could_have_begun_with():
    """The refusal says how to get more; the same number, or fewer, are fine."""
    text = TEXT.replace("HOST", "big.test").replace("LOAD", "{users: 2, think: 120ms}")
    loaded = load_text(text, "demo.yaml", Path(), environ={})
    lines = {name: arm.address for name, arm in loaded.scenario.arms.items()}
    typed = ["one=http://big.test"]
    permit_more(loaded, lines, 2, typed, [])
    with pytest.raises(Refusal, match="3 users can make more than 50 calls/s"):
        permit_more(loaded, lines, 3, typed, [])
    with pytest.raises(Refusal, match="21 users, but more than 20 need its owners' permission"):
        permit_more(loaded, lines, 21, typed, [])
    permit_more(loaded, lines, 21, typed, ["big.test"])


def test_a_file_may_not_send_anything_to_a_public_address_unasked():
    """Not even the one request for each identity, or a request to an issuer."""
    more = "identities: {provision: {post: 'http://big.test/u', take: {a: b}}}\n"
    assert "big.test is a public address" in refused(host="mine.test", more=more, typed=False)
    assert needed("mine.test", more=more, typed=False, allowed=["big.test"]) == 0


def test_nobody_may_allow_a_link_local_address():
    """It is refused before anything is sent."""
    words = refused(host="cloud.test", allowed=["cloud.test"])
    assert words.startswith("cloud.test: 169.254.169.254 is link-local")


@pytest.mark.parametrize(
    ("think", "slowed"),
    [
        ("", (0.12, 0.12)),
        ("think: 10ms", (0.12, 0.12)),
        ("think: {min: 0s, max: 100ms}", (0.12, 0.12)),
        ("think: {min: 0s, max: 3s}", (0.12, 3)),
    ],
)
def test_a_pause_is_a_think_time_of_the_load(think, slowed):
    """It can be set like any value of the file, and a longer think time of the file stays."""
    text = TEXT.replace("LOAD", f"{{{think}}}")
    setting, said = paced(load_text(text, "d", Path(), environ={}).scenario.load, 0.12)
    assert load_text(text, "d", Path(), [setting], environ={}).scenario.load.think == slowed
    assert said.startswith("Users think at least 120 ms: at most 50 calls/s at a public address")


def test_a_run_is_refused_before_it_makes_a_folder(tmp_path):
    """So is every run whose configuration is wrong."""
    file = tmp_path / "demo.yaml"
    file.write_text(TEXT.replace("HOST", "big.test").replace("LOAD", CLOSED))
    with pytest.raises(Refusal, match=r"add --allow big\.test"):
        prepare(RunOptions(str(file), out=str(tmp_path / "out")))
    assert [path.name for path in tmp_path.iterdir()] == ["demo.yaml"]


@pytest.mark.parametrize(
    ("terminal", "line", "yes"),
    [(True, "yes\n", True), (True, "y\n", False), (True, "", False), (False, "yes\n", False)],
)
def test_only_the_word_yes_on_a_terminal_is_a_yes(monkeypatch, capsys, terminal, line, yes):
    """A pipe cannot agree for anybody."""

    class Stream:
        isatty = staticmethod(lambda: terminal)
        readline = staticmethod(lambda: line)
        write = staticmethod(sys.stdout.write)
        flush = staticmethod(sys.stdout.flush)

    monkeypatch.setattr(permission.sys, "stdin", Stream)
    monkeypatch.setattr(permission.sys, "stderr", Stream)
    assert at_terminal("big.test is a public address (…)") is yes
    assert capsys.readouterr().out.startswith("big.test is") is terminal
