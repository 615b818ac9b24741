"""What was wrong with the load generator: figures show the cause."""

import pytest

from mcp_perf.results.journal.records import Health, Slice
from mcp_perf.results.judge.generator import ADVICE, Figures, figures_of, reasons, unfit
from mcp_perf.results.tally.health import GeneratorHealth, GeneratorLimits
from tests.support.virtual_run import pairs

SECOND = {"cpu_s": 0.2, "wall_s": 1.0, "machine_s": 0.5, "cores": 2, "machine_cores": 2}


def health(*rounds, node="w1", arm="mcp", found=None, **limits):
    """Give the health of a process with rounds of one second and this state."""
    found = GeneratorHealth(GeneratorLimits(**limits)) if found is None else found
    for turn, changes in enumerate(rounds):
        state = Health(**{**SECOND, **changes})
        found.add(Slice(node=node, turn=turn, at_s=turn, seconds=1, cells=[], health=state), arm)
    return found


def codes(found):
    """Give the codes of the reasons."""
    return [code for code, _ in reasons(found)]


def test_a_generator_that_kept_up_has_no_reason():
    """Within all limits there is no reason, even on a machine that does other work."""
    fine = {"stalled_s": 0.01, "longest_stall_s": 0.01, "late_starts": 1, "starts": 100}
    busy = health(*[{**fine, "machine_s": 1.9, "waited_s": 0.3}] * 10)
    assert codes(busy) == []
    assert busy.broken_turns == set()


@pytest.mark.parametrize("seconds", [0.3, 1.0, 4.0])
def test_promise_18_a_full_core_in_a_round_of_any_length(seconds):
    """One round in which a process used more than 90 % of a core is enough."""
    hot = {"cpu_s": 0.95 * seconds, "wall_s": seconds}
    found = health({}, hot, {})
    ((code, text),) = reasons(found)
    assert code == "generator_saturated"
    assert "used more than 90 % of a core in a round, and 95 % in one of mcp." in text
    assert found.broken_turns == {1}


def test_promise_18_idle_time_in_the_drain_does_not_hide_a_full_core():
    """Calls that are never answered keep a round open long after its bell."""
    found = health({"cpu_s": 0.95})
    idle = Health(cpu_s=0.1, wall_s=30.0, stalled_s=0.4, longest_stall_s=0.2)
    drain = Slice(node="w1", turn=0, at_s=1, seconds=30, cells=[], health=idle, draining=True)
    found.add(drain, "mcp")
    assert codes(found) == ["generator_saturated"]
    assert found.broken_turns == {0}
    assert found.nodes["w1"].total.cpu == pytest.approx(0.95)
    assert found.nodes["w1"].total.cpu_s == pytest.approx(1.05)


def test_promise_18_a_stall_of_half_a_second_is_enough():
    """Even in a run that is so long that it is less than 1 % of it."""
    stall = {"stalled_s": 0.6, "longest_stall_s": 0.6, "paused_s": 0.6}
    found = health(*[{}] * 99, stall)
    ((code, text),) = reasons(found)
    assert (code, found.broken_turns) == ("generator_paused", {99})
    assert "lost 0.6 s in one stall, in rounds of mcp (the limit is 0.5 s): it stopped" in text
    assert "without using the processor" in text


@pytest.mark.parametrize(("stall_s", "broken"), [(0.1, 0), (0.11, 1)])
def test_promise_18_one_per_cent_of_lost_time_is_enough(stall_s, broken):
    """It is 1 % of an arm's measured time, lost in stalls of any length."""
    found = health(*[{"stalled_s": stall_s / 10, "longest_stall_s": 0.05}] * 10)
    said = [text for _, text in reasons(found)]
    assert len(said) == broken
    assert all("lost 0.11 s of 10 s in rounds of mcp in stalls, 0.05 s in the" in it for it in said)


def test_a_stall_in_the_drain_is_reported_without_the_lost_time_of_rounds():
    """The rounds lost no time: the report's figure and the reason agree."""
    found = health({})
    still = Health(cpu_s=0.1, wall_s=9.0, stalled_s=0.6, longest_stall_s=0.6)
    drain = Slice(node="w1", turn=0, at_s=1, seconds=9, cells=[], health=still, draining=True)
    found.add(drain, "mcp")
    ((_, text),) = reasons(found)
    assert "lost 0.6 s in one stall, in rounds of mcp" in text
    assert found.lost_s == 0


def test_promise_18_the_lost_time_of_each_arm_counts_separately():
    """One arm's rounds must not hide the stalls in another arm's rounds."""
    found = health(*[{}] * 10, arm="rest")
    stall = {"stalled_s": 0.02, "longest_stall_s": 0.1}
    for turn in range(10, 12):
        part = Health(**{**SECOND, **stall})
        found.add(Slice(node="w1", turn=turn, at_s=0, seconds=1, cells=[], health=part), "mcp")
    ((_, text),) = reasons(found)
    assert "rounds of mcp" in text


def test_promise_18_arrivals_seen_late_count_whether_started_or_dropped():
    """The limit is a share of all arrivals."""
    ((code, text),) = reasons(health({"late_starts": 2, "starts": 100}))
    assert code == "unexplained_lag"
    assert "saw 2 % of the arrivals late (the limit is 1 %)" in text
    assert codes(health({"late_starts": 1, "starts": 100})) == []


@pytest.mark.parametrize(
    ("figures", "cause"),
    [
        ({"own": 0.95, "target": 0.9, "others": 0.9, "waited": 0.5}, "generator_saturated"),
        ({"own": 0.9, "target": 0.9}, "generator_saturated"),
        ({"own": 0.6, "target": 0.5, "others": 0.9, "waited": 0.5}, "shares_cores"),
        ({"target": 0.49, "others": 0.25}, "machine_busy"),
        ({"others": 0.24, "waited": 0.05}, "machine_busy"),
        ({"others": 0.24, "waited": 0.04}, "unexplained_lag"),
        ({"own": 0.95, "others": 0.9, "paused": 0.8}, "generator_paused"),
        ({"others": 0.9, "paused": 0.79}, "machine_busy"),
    ],
)
def test_promise_18_figures_show_the_cause(figures, cause):
    """A pause, our own process, the target on the same machine, others, or none of these."""
    nothing = {"own": 0.0, "target": 0.0, "others": 0.0, "waited": 0.0, "paused": 0.0}
    found = Figures(**nothing | figures)
    assert found.cause == cause
    assert found.told
    assert ADVICE[cause].endswith(".")


def test_figures_are_those_of_the_rounds_that_broke_a_limit():
    """What others did in other rounds explains nothing."""
    late = {"late_starts": 50, "starts": 100}
    found = health({"machine_s": 2.0}, {**late, "machine_s": 1.4}, {"starts": 100})
    found.target_cpu_s.update({0: 1.0, 1: 0.1})
    figures = figures_of(found, "w1", [1])
    assert (figures.own, figures.target) == pytest.approx((0.2, 0.05))
    assert figures.others == pytest.approx((1.4 - 0.2 - 0.1) / 2)
    ((code, text),) = reasons(found)
    assert code == "machine_busy"
    assert (
        "other programs used 55 % of the machine, and it waited for a core 0 % of the time" in text
    )


def test_our_processes_on_one_machine_are_not_other_programs():
    """Locust names workers by their host and a random ending."""
    late = {"late_starts": 50, "starts": 100, "machine_s": 1.0, "cpu_s": 0.5}
    found = health(late, node="box_1a")
    health(late, node="box_2b", found=found)
    health(late, node="other_3c", found=found)
    assert figures_of(found, "box_1a", [0]).others == pytest.approx(0.0)
    assert figures_of(found, "other_3c", [0]).others == pytest.approx(0.25)


def test_a_late_loop_says_what_held_it_up():
    """The lag is about all rounds, and so are its figures."""
    lags = pairs([9_000_000] * 200)
    ((code, text),) = reasons(health({"lag": lags, "waited_s": 0.2}))
    assert code == "machine_busy"
    assert (
        "woke 9 ms late (p99; the limit is 5 ms): other programs used 15 % of the machine" in text
    )
    assert "it waited for a core 20 % of the time" in text


def test_what_was_not_measured_explains_nothing():
    """A journal of an older version has no figures, so the cause is open."""
    state = Health(cpu_s=0.1, wall_s=1.0, late_starts=9, starts=10)
    found = GeneratorHealth()
    found.add(Slice(node="w1", turn=0, at_s=0, seconds=1, cells=[], health=state), "mcp")
    assert codes(found) == ["unexplained_lag"]
    assert figures_of(found, "w1", []) == Figures(0.0, 0.0, 0.0, 0.0, 0.0, known=False)


def test_a_bound_of_a_whole_core_lets_every_use_pass():
    """With its threads, a process may use a little more than one core."""
    assert codes(health({"cpu_s": 1.01}, generator_cpu=1.0)) == []
    assert codes(health({"cpu_s": 1.01}, generator_cpu=0.99)) == ["generator_saturated"]


def test_a_bound_of_all_time_lets_every_stall_pass():
    """Tests on a shared machine are not about its speed."""
    stall = {"stalled_s": 0.9, "longest_stall_s": 0.9}
    assert codes(health(stall, lost_time=1.0)) == []


def test_promise_18_a_stall_of_just_half_a_second_is_within_the_limit():
    """That is so if it is less than 1 % of the arm's time."""
    assert codes(health(*[{}] * 99, {"stalled_s": 0.5, "longest_stall_s": 0.5})) == []


@pytest.mark.parametrize(("waited_s", "cause"), [(0.09, "unexplained_lag"), (0.1, "machine_busy")])
def test_promise_18_the_wait_for_a_core_is_a_share_of_the_time(waited_s, cause):
    """Rounds may have any length."""
    late = {"wall_s": 2.0, "waited_s": waited_s, "late_starts": 5, "starts": 100}
    assert codes(health(late)) == [cause]


def test_if_the_system_does_not_show_what_others_used_the_reason_says_so():
    """Only Linux reports the use of the whole machine."""
    ((_, text),) = reasons(health({"machine_s": 0.0, "late_starts": 5, "starts": 100}))
    assert "other programs used an unknown part of the machine" in text
    assert Figures(0.0, 0.0, 0.3, 0.0, 0.0).told.startswith(
        "other programs used 30 % of the machine"
    )


def test_five_hot_seconds_spoil_the_rounds_of_their_arm():
    """Rounds of the other arm stay sound."""
    found = GeneratorHealth()
    for second in range(5):
        hot = Health(**{**SECOND, "cpu_s": 0.95})
        found.add(Slice(node="w1", turn=0, at_s=second, seconds=1, cells=[], health=hot), "mcp")
    cool = Health(**SECOND)
    found.add(Slice(node="w1", turn=1, at_s=6, seconds=1, cells=[], health=cool), "rest")
    found.broken_turns.clear()
    assert found.nodes["w1"].hottest_s == pytest.approx(5)
    assert unfit(found) == {0}
