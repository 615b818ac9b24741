from typing import get_args

import pytest

from mcp_perf.outcomes import CLASSES
from mcp_perf.results.document.part import VerdictName
from mcp_perf.results.render.words import wording
from mcp_perf.scenario.model.gates import METRICS


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"os": "Linux", "cores": 2}, "os: Linux, cores: 2"),
        (["a", ["b", {"c": None}]], "a, b, c: "),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (None, ""),
    ],
)
def test_values_of_the_environment(value, written):
    """Whatever the environment holds is written without braces and quotes."""
    assert wording.plain(value) == written


@pytest.mark.parametrize(
    ("name", "explained"),
    [
        ("p95", "time of a call, percentile 95"),
        ("p99_9", "time of a call, percentile 99.9"),
        ("journey_p50", "time of a whole journey, percentile 50"),
        ("throughput", "journeys completed with every step ok, per second"),
        ("p95<script>", ""),
    ],
)
def test_metrics_are_explained(name, explained):
    """A metric is explained in a few words; any other name is left alone."""
    assert wording.metric(name) == explained


def test_every_word_of_a_report_has_a_meaning():
    """No verdict, class or timed metric of a gate lacks its sentence."""
    assert set(wording.VERDICTS) == set(get_args(VerdictName))
    assert set(wording.CLASSES) == set(CLASSES)
    self_explaining = {"calls", "journeys_done", "journey_mean", "journey_max"}
    assert {name for name in METRICS if not wording.metric(name)} <= self_explaining


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"simulated": ["an API", {"name": "a network"}]}, ["an API", "name: a network"]),
        ({"simulated": "an API"}, ["an API"]),
        ({"simulated": []}, []),
        ({}, []),
    ],
)
def test_what_was_simulated(example, environment, named):
    """Simulated parts are named in whatever form the environment has them."""
    assert wording.simulated(example.report(environment=environment)) == named
