"""Two releases of a server, which do the work of one arm of a scenario."""

from pathlib import Path

import pytest

from mcp_perf.load.survey.releases import Releases
from mcp_perf.scenario.loader import load
from mcp_perf.scenario.model.resources import Resources
from mcp_perf.scenario.problems.wording import InputError
from tests.support import example_report

SCENARIO = """
name: shop
env: [TOKEN]
identities: {csv: people/users.csv}
arms:
  control: {http: http://127.0.0.1:1}
  mcp:
    mcp: http://127.0.0.1:2/mcp
    headers: {Authorization: "Bearer ${env:TOKEN}"}
    tls: {ca: ca.pem}
    stream: true
    timeout: 3s
    resources: {pid: 1}
journeys:
  order:
    weight: 2
    with: {item: {one_of: [tea, "no", "été \U0001f375"]}}
    control: [{get: /orders}]
    mcp: [{call: order, arguments: {item: "${item}", key: ../out.txt}}]
  look: {tags: [read], control: [{get: /}], steps: [{list: tools}]}
load: {users: 3, rounds: 12, round: 1s}
gates: [mcp.p95 < 5ms, mcp.p50 <= 3x control]
"""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """Write the scenario and its files to a folder; return a function that makes its releases."""
    monkeypatch.setenv("TOKEN", "t-1234")
    (tmp_path / "people").mkdir()
    (tmp_path / "people" / "users.csv").write_text("name\n" + "ada\n" * 3)
    (tmp_path / "ca.pem").write_text("certificate")
    path = tmp_path / "shop.yaml"

    def make(base="http://127.0.0.1:3/mcp", head="python new.py", text=SCENARIO, **how):
        path.write_text(text, "utf-8")
        return Releases(str(path), how.get("arm"), how.get("settings", ()), base, head)

    return make


def scenario(releases, folder, pairs=5):
    """Return the scenario that is written for a pair, loaded, and the words of its run."""
    folder.mkdir()
    path, *words = releases.written(folder, pairs)
    return load(Path(path)).scenario, words


def test_both_sides_do_the_work_of_the_mcp_arm(shop, tmp_path):
    """They keep its journeys, values and files; gates, control and resources are left out."""
    made, words = scenario(shop(), tmp_path / "made")
    assert list(made.arms) == ["base", "head"]
    assert made.gates == ()
    for side in made.arms:
        assert made.journeys["order"].of(side)[0].subject == "order"
        assert made.journeys["look"].of(side)[0].action == "list"
    assert made.journeys["order"].weight == 2
    assert made.journeys["look"].tags == ("read",)
    assert made.journeys["order"].with_["item"]["one_of"] == ["tea", "no", "été \U0001f375"]
    assert made.arms["base"].resources == Resources()
    assert words == ["--target", "base=http://127.0.0.1:3/mcp"]


def test_a_command_is_a_stdio_server_of_the_current_folder(shop, tmp_path):
    """Keys for HTTP are left out for a command, and kept for a URL."""
    made, _ = scenario(shop(), tmp_path / "made")
    assert made.arms["base"].headers == {"Authorization": "Bearer ${env:TOKEN}"}
    assert made.arms["base"].stream
    head = made.arms["head"]
    assert (head.mcp, head.cwd, head.process) == ("stdio:python new.py", str(Path.cwd()), "shared")
    assert (head.headers, head.stream, head.timeout) == ({}, False, 3)


def test_any_line_of_a_target_is_a_release(shop, tmp_path):
    """HTTP+SSE is one, and so is a bundled system."""
    made, words = scenario(shop("sse:http://a.test/sse", "system:echo/mcp"), tmp_path / "made")
    assert made.arms["base"].mcp == "sse:http://a.test/sse"
    assert made.arms["head"].mcp == "system:echo/mcp"
    assert words[1::2] == ["base=sse:http://a.test/sse", "head=system:echo/mcp"]


def test_the_rounds_are_shared_out_among_the_pairs(shop, tmp_path):
    """With 12 rounds, 5 pairs have 3 each; no pair has fewer than 2, and none ends early."""
    for pairs, rounds in ((5, 3), (3, 4), (100, 2)):
        made, _ = scenario(shop(), tmp_path / f"{pairs}", pairs)
        assert (made.load.rounds, made.load.abort) == (rounds, None)
    ramp = SCENARIO.replace("users: 3,", "users: 3, shape: ramp,")
    assert scenario(shop(text=ramp), tmp_path / "ramp")[0].load.rounds == 12


def test_the_scenario_can_be_changed_before(shop, tmp_path):
    """The paths in the settings are the file's."""
    how = {"settings": ["load.users=7", "journeys.order.mcp.0.call=buy"]}
    made, _ = scenario(shop(**how), tmp_path / "made")
    assert made.load.users == 7
    assert made.journeys["order"].of("head")[0].subject == "buy"


def test_nothing_outside_of_the_scenarios_folder_is_copied(shop, tmp_path):
    """An argument may look like the name of a file."""
    (tmp_path.parent / "out.txt").write_text("private")
    _, _ = scenario(shop(), tmp_path / "made")
    copied = {path.name for path in (tmp_path / "made").rglob("*") if path.is_file()}
    assert copied == {"shop.yaml", "users.csv", "ca.pem"}


TWO = SCENARIO.replace("control: {http: http://127.0.0.1:1}", "old: {mcp: http://127.0.0.1:1/mcp}")
TWO = TWO.replace("control: [{get: /orders}]", "old: [{ping: true}]").replace(
    "control: [{get: /}], ", ""
)
TWO = TWO.replace(", mcp.p50 <= 3x control", "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"base": "python 'old.py"}, "cannot be read: No closing quotation"),
        ({"head": "127.0.0.1:80/mcp"}, "http:// is missing"),
        ({"head": " "}, "is not a command"),
        ({"arm": "control"}, "has no mcp arm"),
        ({"text": TWO.replace(" mcp:\n", " new:\n").replace(" mcp: [", " new: [")
          .replace("mcp.p95", "new.p95")}, "has several mcp arms, old, new"),
        ({"settings": ["load.shape=doubling"]}, "a different load for each release"),
        ({"settings": ["load.calibrate=50%"]}, "a different load for each release"),
    ],
)  # fmt: skip
def test_what_cannot_be_put_against_each_other_is_told(shop, tmp_path, change, said):
    """The message says what to write instead."""
    with pytest.raises(InputError) as problem:
        shop(**change).written(tmp_path, 5)
    assert said in f"{problem.value.message}; {problem.value.hint}"


def test_of_several_mcp_arms_the_one_called_mcp_is_taken_or_the_one_that_is_named(shop, tmp_path):
    """Both stay in the file."""
    assert scenario(shop(text=TWO), tmp_path / "a")[0].journeys["order"].of("base")[0].subject
    named, _ = scenario(shop(text=TWO, arm="old"), tmp_path / "b")
    assert named.journeys["order"].of("base")[0].action == "ping"


def test_a_reader_is_told_what_the_numbers_do_not_say(shop):
    """Remarks name servers that went on running, different versions, and pairs that failed."""
    report = example_report.report()
    arms = report.arms
    two = {"base": arms["mcp"], "head": arms["mcp"].model_copy(update={"protocol": "2025-11-25"})}
    report = report.model_copy(update={"arms": two, "verdict": "FAIL"})
    told = shop("http://u:secret-word@a.test/mcp", "x").remarks([report])
    assert told[0] == "Servers named by a URL were not restarted for each pair."
    assert told[1] == f"Not the same: base speaks {arms['mcp'].protocol}, head speaks 2025-11-25."
    assert told[2].startswith("A single pair is FAIL: ")
    assert shop("x", "y").remarks([report.model_copy(update={"verdict": "PASS"})]) == told[1:2]
    assert "secret-word" not in "".join(shop("http://u:secret-word@a.test/mcp", "x").lines)
