"""References to systems, with the flags of their processes."""

import httpx
import pytest

from mcp_perf.scenario.model.syntax import address
from mcp_targets.launcher.catalog import SYSTEMS
from mcp_targets.launcher.references import parse
from mcp_targets.launcher.systems import UnknownSystem


def test_flags_reach_the_process_that_knows_them():
    """As options; another order means the same instance, other flags another one."""
    one = parse("dual_runtime/mcp?preset=dual&pool=off")
    upstream, server = SYSTEMS["dual_runtime"].processes
    assert one == parse("dual_runtime/mcp?pool=off&preset=dual")
    assert one.arguments(server.flags) == ["--pool", "off", "--preset", "dual"]
    assert one.arguments(upstream.flags) == []
    assert one.process_name(server) == "dual-runtime-pool-off-preset-dual"
    assert parse("dual_runtime/rest?preset=dual&pool=off").instance == one.instance
    assert parse("dual_runtime/mcp?preset=dual").instance != one.instance
    assert parse("twilio/mcp").process_name(SYSTEMS["twilio"].processes[0]) == "twilio-upstream"


@pytest.mark.parametrize(
    ("ref", "complaint"),
    [
        ("dual_runtime/mcp?prset=dual", r"no flag 'prset'; did you mean preset or rtt\?"),
        ("dual_runtime/mcp?preset=both", "write preset=control or preset=dual"),
        ("dual_runtime/mcp?preset", "write each flag once, as preset=VALUE"),
        ("dual_runtime/mcp?pool=on&pool=off", "write each flag once, as pool=VALUE"),
        ("twilio/mcp?delay=5ms", "system 'twilio' does not have flags; remove"),
    ],
)
def test_a_wrong_flag_is_answered_with_what_to_write(ref, complaint):
    """Nothing is started."""
    with pytest.raises(UnknownSystem, match=complaint):
        parse(ref)


def test_a_scenario_may_write_flags():
    """Anything else is refused."""
    good = "system:dual_runtime/mcp?preset=dual&pool=off"
    assert address(good) == good
    assert address("system:echo/mcp?delay=90%:5ms,10%:20ms")
    for wrong in ("system:echo/mcp?", "system:echo/mcp?delay", "system:echo/mcp?a=1&"):
        with pytest.raises(ValueError, match="address"):
            address(wrong)


@pytest.mark.process
def test_each_set_of_flags_is_a_process_of_its_own(systems):
    """Here with two echo systems: one answers with events, the other with JSON."""
    request = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    accepts = {"accept": "application/json, text/event-stream"}
    before = dict(systems.pids())
    plain = systems.face("echo/mcp").url
    events = systems.face("echo/mcp?replies=sse&seed=3").url
    assert plain != events
    assert systems.face("echo/mcp?seed=3&replies=sse").url == events
    assert "echo-replies-sse-seed-3" in set(systems.pids()) - set(before)
    for url in (plain, events):
        assert httpx.post(url, json=request, headers=accepts).status_code < 500
