"""The plugin that runs disturbed tests once more, in tiny suites with made-up figures."""

import os
import subprocess
import sys
from xml.etree import ElementTree as ET

import psutil
import pytest

from tests.support import ROOT
from tests.support.disturbance import LIMIT, Meter, Span

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.process
# A span has the figures that a file has at its end: others' share, and the total.
CONFTEST = """
from pathlib import Path
import pytest
from tests.support import disturbance

def figures(self, first):
    return disturbance.Span(*map(float, Path("shares").read_text().split()))

disturbance.Meter.since = figures

@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    with Path("surrounded").open("a") as log:
        log.write(item.name + " ")
    return (yield)
"""
HEAD = """
from pathlib import Path
import pytest
from tests.support.disturbance import spoiled

pytestmark = pytest.mark.load

def count(name):
    "Count how often this was called, also in other processes."
    with Path(name).open("a") as log:
        log.write("x")
    return len(Path(name).read_text())

def shares(text):
    Path("shares").write_text(text)

"""
QUIET, BESIDE, BUSY = "0.02 0.02", "0.02 0.5", "0.7 0.9"
FAILS = "def test_it():\n    count('runs')\n    assert 1 == 2\n"
RECOVERS = "def test_it():\n    assert count('runs') == 2\n"


@pytest.fixture
def suite(pytester, monkeypatch):
    """Run a suite of one file in a separate pytest; return its result."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)

    def run(tests: str, shares: str, *options: str):
        pytester.makeconftest(CONFTEST)
        pytester.makepyfile(test_it=HEAD + tests)
        (pytester.path / "shares").write_text(shares)
        plugins = ("-p", "xdist", "-p", "tests.support.disturbance")
        markers = ("-o", "markers=load", "-W", "error")
        return pytester.runpytest_subprocess(*plugins, *markers, *options, timeout=300)

    return run


@pytest.fixture
def times(pytester):
    """Count how often something was done."""
    return lambda name: len((pytester.path / name).read_text())


@pytest.fixture(params=[(), ("-n", "2")], ids=["one process", "two workers"])
def workers(request):
    """Return the options for this many processes."""
    return request.param


def test_a_failure_on_a_quiet_machine_is_a_failure_at_once(suite, times, workers):
    """It is not run again, however busy the other workers are."""
    result = suite(FAILS, BESIDE, *workers)
    result.assert_outcomes(failed=1)
    assert (result.ret, times("runs")) == (1, 1)
    assert "too busy" not in result.stdout.str()


def test_what_passes_the_second_time_passes_and_is_listed(suite, times, workers):
    """With the figure and the failure of the first run."""
    result = suite(RECOVERS, BUSY, *workers)
    result.assert_outcomes(passed=1)
    assert (result.ret, times("runs")) == (0, 2)
    result.stdout.fnmatch_lines(
        [
            "run once more: disturbed  test_it.py::test_it: other work took 70% of the *",
            "  *assert 1 == 2",
        ]
    )


def test_what_is_spoiled_twice_is_undecided(suite, times, workers):
    """Neither a pass nor a failure; the figure and what failed are shown."""
    result = suite(FAILS, BUSY, *workers)
    assert result.parseoutcomes() == {"undecided": 1}
    assert (result.ret, times("runs")) == (0, 2)
    result.stdout.fnmatch_lines(
        [
            "undecided: disturbed twice  test_it.py::test_it: other work took 70%*more than 20%",
            "*assert 1 == 2",
        ]
    )


@pytest.mark.parametrize(("number", "code"), [(5, 0), (6, 1)])
def test_more_than_five_undecided_are_red(suite, workers, number, code):
    """They are counted across all workers."""
    tests = f"@pytest.mark.parametrize('n', range({number}))\ndef test_it(n):\n    assert n > 9\n"
    result = suite(tests, BUSY, *workers)
    assert (result.parseoutcomes(), result.ret) == ({"undecided": number}, code)
    told = f"{number} tests are undecided, and more than 5 are too many" in result.stdout.str()
    assert told == bool(code)


def test_a_failure_of_the_second_run_on_a_quiet_machine_is_one(suite):
    """Only a test that is disturbed twice is undecided."""
    result = suite(
        f"def test_it():\n    shares('{QUIET}' if count('runs') == 2 else '{BUSY}')\n"
        "    assert False\n",
        BUSY,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the first run was disturbed*", "other work took 70%*"])


def test_a_test_without_a_mark_is_never_run_twice(suite, times):
    """A test that starts and loads nothing fails on its own account."""
    result = suite(FAILS.replace("def", "pytestmark = []\ndef", 1), BUSY)
    result.assert_outcomes(failed=1)
    assert times("runs") == 1


def test_what_passes_is_not_run_again(suite, times):
    """However busy the machine was."""
    result = suite("def test_it():\n    count('runs')\n", BUSY)
    result.assert_outcomes(passed=1)
    assert times("runs") == 1
    assert "too busy" not in result.stdout.str()


SHARED = """
@pytest.fixture(scope="session")
def everybodys():
    count("session")

@pytest.fixture(scope="module")
def run(everybodys):
    shares("BUSY")
    yield count("module")
    count("ended")

@pytest.fixture(autouse=True)
def calm(run):
    shares("QUIET")

def test_first(run):
    assert run == 2

def test_second(run):
    assert run == 2
""".replace("BUSY", BUSY).replace("QUIET", QUIET)


def test_what_several_tests_share_is_made_anew(suite, times):
    """A module's fixture is, if it was disturbed; the session's is not."""
    result = suite(SHARED, QUIET)
    result.assert_outcomes(passed=2)
    assert [times(name) for name in ("session", "module", "ended")] == [1, 2, 2]
    result.stdout.fnmatch_lines("run once more: disturbed  test_it.py::test_first: *70%*")


@pytest.mark.parametrize("scope", ["function", "module", "session"])
def test_a_fixture_that_failed_is_made_anew(suite, times, scope):
    """Of any scope, because pytest would remember its failure."""
    tests = f"@pytest.fixture(scope='{scope}')\ndef server():\n    assert count('runs') == 2\n"
    result = suite(f"{tests}\ndef test_it(server):\n    pass\n\ndef test_on():\n    pass\n", BUSY)
    result.assert_outcomes(passed=2)
    assert times("runs") == 2


def test_a_product_that_says_it_was_disturbed_is_believed_beside_other_tests(suite, times):
    """Its figure is shown together with the other workers' share."""
    result = suite("def test_it():\n    count('runs')\n    spoiled('lag 90 ms')\n", BESIDE)
    assert result.parseoutcomes() == {"undecided": 1}
    assert times("runs") == 2
    result.stdout.fnmatch_lines("undecided*: other tests took 50%*more than 20% (lag 90 ms)")


def test_a_product_that_says_so_on_an_idle_machine_has_failed(suite):
    """Then nothing but itself can have disturbed it."""
    suite("def test_it():\n    spoiled('lag 90 ms')\n", QUIET).assert_outcomes(failed=1)


def test_what_surrounds_a_test_begins_anew(suite, pytester):
    """The timeout, for example, does not span both runs."""
    suite(RECOVERS, BUSY)
    assert (pytester.path / "surrounded").read_text() == "test_it test_it "


def test_other_reporters_take_an_undecided_test_for_no_pass(suite, pytester):
    """A file for a CI service says that it was skipped and why."""
    suite(FAILS, BUSY, "--junitxml", "junit.xml")
    [case] = ET.parse(pytester.path / "junit.xml").iter("testcase")
    assert case.find("skipped").get("message").startswith("undecided: other work took 70%")


@pytest.fixture
def spin():
    """Use half a second of processor time; return the process."""
    code = "import time\nwhile time.process_time() < 0.5: pass\nprint(flush=True)\ninput()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as process:
        yield process
        process.kill()


def test_the_time_of_a_tree_is_its_own_and_of_nobody_else(spin):
    """A child's time belongs to this process, and not to its neighbour's tree."""
    with psutil.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        meter = Meter(os.getpid(), other.pid)
        first = meter.read()
        assert spin.stdout.readline()
        last = meter.read()
        other.communicate(b"\n")
    assert last.session_s - first.session_s >= 0.4
    assert last.machine_s - first.machine_s >= 0.4
    assert last.worker_s - first.worker_s < 0.4
    span = Span.between(first, last)
    assert span.around - span.others >= 0.3 / (last.at_s - first.at_s) / os.cpu_count()


def test_the_time_of_a_child_that_has_ended_is_kept(spin):
    """The parent inherits it."""
    meter = Meter(os.getpid(), os.getpid())
    first = meter.read()
    spin.communicate(b"\n")
    assert meter.read().session_s - first.session_s >= 0.4


def test_the_time_of_a_process_that_was_left_alone_is_kept():
    """Its parent has ended, so nobody inherits its time when it ends."""
    code = "import time\nwhile time.process_time() < 0.5: pass\nprint(flush=True)\ninput()"
    leave = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {code!r}])\ninput()"
    meter = Meter(os.getpid(), os.getpid())
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", leave], **pipes) as process:
        first = meter.read()
        process.stdout.readline()
        [left] = psutil.Process(process.pid).children()
        meter.read()
        process.kill()
        process.wait()
        left.kill()
        psutil.wait_procs([left])
    assert meter.read().session_s - first.session_s >= 0.4


def test_a_share_is_of_all_processors(monkeypatch):
    """Four processors have 40 s in ten seconds: 12 s are 30 %, which is above the limit."""
    from tests.support.disturbance import Reading

    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    span = Span.between(Reading(5, 100, 10, 7), Reading(15, 130, 28, 11))
    assert (span.others, span.around) == (pytest.approx(0.3), pytest.approx(0.65))
    assert span.others > LIMIT
