"""What the master sends to its workers: everything they need, but no secrets."""

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.load.prepare import relay
from mcp_perf.load.prepare.prepare import Prepared, RunOptions
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.load.targets.targets import ArmTarget
from mcp_perf.scenario.loader import load_text

TEXT = """\
name: demo
title: A demo
env: [TOKEN]
arms:
  rest: {http: "http://127.0.0.1:1", headers: {Authorization: "Bearer ${env:TOKEN}"}}
  mcp: {mcp: "http://127.0.0.1:2/mcp"}
journeys:
  first:
    rest: [{get: /a}]
    mcp: [{call: a}]
"""
SECRET = "s3cr3t-canary"


@pytest.fixture
def prepared(tmp_path):
    """Return a run whose scenario contains a secret, with both arms reached."""
    loaded = load_text(TEXT, "demo.yaml", tmp_path, ["load.users=7"], environ={"TOKEN": SECRET})
    endpoint = Endpoint.of("http://127.0.0.1:5/x", headers={"Authorization": f"Bearer {SECRET}"})
    targets = {
        "rest": ArmTarget("rest", "http", "http://127.0.0.1:5/x", endpoint, {"account": "AC1"}),
        "mcp": ArmTarget("mcp", "mcp", "http://127.0.0.1:6/mcp", endpoint, {}, "2025-06-18", {}),
    }
    options = RunOptions(settings=("load.users=7",))
    return Prepared(options, loaded, "demo-1", 7, 7.0, (), 1, Path("out"), None, targets)


@pytest.fixture
def reached(monkeypatch):
    """Reach targets without a network; return the arguments of each attempt."""
    asked = []

    def reach(name, loaded, url, provided, version="", *, logs, **_identity):
        asked.append((name, loaded.scenario.arms[name].kind, url, provided, version, logs))
        return f"reached {name}"

    monkeypatch.setattr(relay, "reach", reach)
    return asked


def test_a_worker_gets_the_scenario_and_the_targets_as_the_master_has_them(
    prepared, reached, monkeypatch
):
    """It gets the same text, settings and addresses, and the version that the master negotiated."""
    monkeypatch.setenv("TOKEN", "the worker's own")
    options = Namespace()
    relay.send(prepared, options, ["a", "b", "c"])
    task = relay.receive(options, "b")
    assert task.loaded.scenario.load.users == 7
    assert task.loaded.text == TEXT
    assert task.loaded.base == prepared.loaded.base
    assert (task.node, task.nodes, task.users) == (1, 3, 7)
    assert task.targets == {"rest": "reached rest", "mcp": "reached mcp"}
    logs = None  # the run's folder is not on this machine
    assert reached == [
        ("rest", "http", "http://127.0.0.1:5/x", {"account": "AC1"}, "", logs),
        ("mcp", "mcp", "http://127.0.0.1:6/mcp", {}, "2025-06-18", logs),
    ]


@pytest.mark.usefixtures("reached")
def test_only_the_chosen_arms_are_sent(prepared, monkeypatch):
    """`--arm` holds in the workers, too."""
    monkeypatch.setenv("TOKEN", "x")
    prepared.options = RunOptions(arms=("mcp",))
    del prepared.targets["rest"]
    options = Namespace()
    relay.send(prepared, options, ["a"])
    assert list(relay.receive(options, "a").loaded.scenario.arms) == ["mcp"]


@pytest.mark.usefixtures("reached")
def test_secrets_do_not_travel(prepared, monkeypatch):
    """Every worker reads them from its environment."""
    options = Namespace()
    relay.send(prepared, options, ["a"])
    assert SECRET not in str(vars(options))
    monkeypatch.setenv("TOKEN", "own")
    assert relay.receive(options, "a").loaded.env == {"TOKEN": "own"}


def test_the_message_is_text_that_locust_can_send(prepared):
    """Locust packs its options with msgpack, and its page with JSON."""
    options = Namespace()
    relay.send(prepared, options, ["a", "b"])
    message = vars(options)[relay.OPTION]
    assert isinstance(message, str)
    assert msgspec.json.decode(message)["nodes"] == ["a", "b"]
    assert len(message) < 4096


def test_a_worker_that_cannot_reach_a_target_says_so(prepared, monkeypatch):
    """A target that the master could reach, but not the worker, is refused there, with a reason."""

    def reach(*_args, **_options):
        raise Refusal("rest: cannot reach it", code=108)

    monkeypatch.setattr(relay, "reach", reach)
    monkeypatch.setenv("TOKEN", "x")
    options = Namespace()
    relay.send(prepared, options, ["a"])
    with pytest.raises(Refusal, match="cannot reach"):
        relay.receive(options, "a")


def test_the_only_node_takes_what_was_prepared(prepared):
    """Without workers nothing is sent, and no target is reached twice."""
    task = relay.local(prepared)
    assert task.loaded is prepared.loaded
    assert task.targets is prepared.targets
    assert (task.node, task.nodes, task.users) == (0, 1, 7)


def test_each_worker_brings_the_identities_of_its_users(prepared, monkeypatch):
    """None of them is sent. The worker tries the targets as its first user, and knows `${run}`."""
    source = """identities: {provision: {post: "http://127.0.0.1:1/", take: {token: t}}}\narms:"""
    text = TEXT.replace("arms:", source, 1).replace("${env:TOKEN}", "${identity.token}")
    prepared.loaded = load_text(text, "demo.yaml", Path(), environ={"TOKEN": SECRET})
    prepared.identities, prepared.run = [{"number": 1, "token": SECRET}], "r1"
    asked = []

    def settle(_loaded, users, run, share):
        asked.append((users, run))
        return [{"number": number, "token": f"t-{number}"} for number in range(1, users + 1)][share]

    monkeypatch.setattr(relay, "settle", settle)
    monkeypatch.setenv("TOKEN", SECRET)
    monkeypatch.setattr(relay, "reach", lambda *_args, identity, **_kwargs: identity["token"])
    options = Namespace()
    relay.send(prepared, options, ["one", "two"])
    assert SECRET not in str(vars(options))
    task = relay.receive(options, "two")
    assert asked == [(7, "r1")]
    assert [one["number"] for one in task.identities] == [2, 4, 6]
    assert set(task.targets.values()) == {"t-2"}


def test_variables_that_name_secrets_are_not_sent(prepared, reached, monkeypatch):
    """Each worker fills in the `vars` of the file and of an arm from its environment."""
    text = TEXT.replace("arms:", 'vars: {all: "${env:TOKEN}"}\narms:', 1)
    text = text.replace('2/mcp"}', '2/mcp", vars: {own: "${env:TOKEN}"}}')
    prepared.loaded = load_text(text, "demo.yaml", Path(), environ={"TOKEN": SECRET})
    for name, own in (("rest", {}), ("mcp", {"own": SECRET})):
        known = {"all": SECRET, "run": "r1", **own}
        prepared.targets[name] = replace(prepared.targets[name], variables=known)
    monkeypatch.setenv("TOKEN", SECRET)
    options = Namespace()
    relay.send(prepared, options, ["one"])
    assert SECRET not in str(vars(options))
    relay.receive(options, "one")
    assert [asked[3] for asked in reached] == [{"run": "r1"}, {"run": "r1"}]


def test_a_worker_without_a_variable_or_file_says_so(prepared, monkeypatch):
    """What only the master has is a mistake like any other, not a fault in mcp-perf."""
    options = Namespace()
    relay.send(prepared, options, ["one"])
    monkeypatch.delenv("TOKEN", raising=False)
    with pytest.raises(Refusal, match="'TOKEN' is not set") as refusal:
        relay.receive(options, "one")
    assert refusal.value.exit_code == 104
