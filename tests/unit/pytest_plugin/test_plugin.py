"""The plugin as users see it: suites of a few lines, each run by a separate pytest."""

import json
import re
from collections.abc import Callable

import pytest

from mcp_targets.launcher.systems import Systems
from tests.support import ROOT, suites

pytestmark = pytest.mark.process

SUITE = '''
import random
import time
import pytest

CALLS = []

def spin(us):
    CALLS.append(us)
    # On a calm machine all rounds could have the same ratio, and then nothing is decided.
    end = time.perf_counter_ns() + us * random.randint(1000, 1300)
    while time.perf_counter_ns() < end:
        pass

SIDES = {"fast": lambda: spin(20), "slow": lambda: spin(80)}

@pytest.mark.parametrize("size", ["small", "large"])
def test_spin(size, side_by_side):
    """Slow is slower."""
    side_by_side(SIDES, rounds=6, round_s=0.005)

def test_thin(side_by_side):
    side_by_side(SIDES, rounds=4, round_s=0.002)

def test_plain(benchmark):
    benchmark.pedantic(len, ([],))
'''
# So far away that not even an interrupted round reaches it.
HOLDS = "test_it.py::test_spin[small]:\n  - slow.p50 <= 1000x fast\n"


@pytest.fixture
def suite(tmp_path, environment) -> Callable[..., tuple[int, str]]:
    """Write a suite with its gates, and run pytest on it; return its exit code and output."""

    def run(*arguments: str, gates: str = HOLDS, tests: str = SUITE) -> tuple[int, str]:
        return suites.run(tmp_path, environment, tests, *arguments, gates=gates)

    return run


MEASURED = "--benchmark-only"


def test_a_gate_that_holds_passes_and_is_shown(suite):
    """The session ends with 0 and says the ratio with its interval."""
    code, said = suite(MEASURED)
    assert code == 0
    found = re.search(
        r"PASS test_it.py::test_spin\[small\]: slow.p50 <= 1000x fast: (\S+)\u00d7", said
    )
    assert 1 < float(found[1]) < 100  # 4 on a machine without other load
    assert "between" in said


def test_a_gate_that_is_broken_fails_its_test(suite):
    """Four times as slow breaks 1.5x: the test fails, and the sentence has ratio and bound."""
    code, said = suite(MEASURED, gates=HOLDS.replace("1000x", "1.5x"))
    assert code == 1
    assert "FAILED test_it.py::test_spin[small]" in said
    assert "the gate asks for <= 1.5\u00d7" in said
    assert "1 failed, 3 passed" in said


def test_thin_evidence_is_no_pass(suite):
    """Four rounds cannot show anything: INCONCLUSIVE, with what is needed, and a failed test."""
    code, said = suite(MEASURED, gates="test_it.py::test_thin:\n  - slow.p50 <= 1000x fast\n")
    assert code == 1
    assert "INCONCLUSIVE" in said
    assert "make at least 6" in said


@pytest.mark.parametrize("how", [MEASURED, "--benchmark-disable"])
def test_a_renamed_benchmark_is_an_error(suite, how):
    """Nothing runs, measured or not; the message names file, line and the most similar name."""
    code, said = suite(how, gates=HOLDS.replace("small", "smal"))
    assert code == 4
    assert "gates.yaml:1: there is no benchmark test_it.py::test_spin[smal]" in said
    assert "Did you mean test_it.py::test_spin[small]" in said
    assert "passed" not in said


def test_a_benchmark_that_no_longer_uses_the_fixture_has_vanished(suite):
    """A test of that name that compares nothing has no gates to judge."""
    code, said = suite(gates="test_it.py::test_plain:\n  - slow.p50 <= 1000x fast\n")
    assert code == 4
    assert "there is no benchmark test_it.py::test_plain that uses side_by_side" in said


@pytest.mark.parametrize("how", [MEASURED, "--benchmark-disable"])
def test_a_renamed_side_fails_its_test(suite, how):
    """The message names the missing side, and the present ones."""
    code, said = suite(how, gates=HOLDS.replace("slow.p50", "slower.p50"))
    assert code == 1
    assert "has no side 'slower'. Was it renamed? Its sides are fast, slow" in said


@pytest.mark.parametrize(
    ("selection", "why"),
    [
        (("-k", "thin"), "left out by -k"),
        (("test_it.py::test_thin",), "not among the tests that the command line names"),
        (("--ignore", "test_it.py"), "left out by --ignore"),
    ],
)
def test_what_is_left_out_on_purpose_is_not_judged_and_no_error(suite, tmp_path, selection, why):
    """The summary says so, and why."""
    tests = "def test_else(side_by_side):\n    side_by_side({'a': int, 'b': str}, round_s=0.001)\n"
    (tmp_path / "test_other.py").write_text(tests)
    code, said = suite(MEASURED, *selection)
    assert code == 0
    assert f"not judged test_it.py::test_spin[small]: {why}" in said


def test_a_gated_benchmark_that_is_skipped_is_no_pass(suite):
    """A skip measures nothing, so a success would be a pass by absence."""
    tests = SUITE.replace(
        "    side_by_side(SIDES, rounds=6", "    pytest.skip()\n    side_by_side("
    )
    tests = re.sub(r"side_by_side\(, ", "side_by_side(SIDES, ", tests)
    code, said = suite(MEASURED, tests=tests)
    assert code == 1
    assert "it was selected but measured nothing, which does not count as a pass" in said
    assert suite("--benchmark-disable", tests=tests)[0] == 0  # there is nothing to judge


def test_a_plain_session_calls_every_side_once(suite):
    """It tests correctness, not speed: one call per side, no gate judged, no summary."""
    tests = SUITE + "\ndef test_calls():\n    assert CALLS == [20, 80] * 3\n"
    code, said = suite("--benchmark-disable", tests=tests, gates=HOLDS.replace("1000x", "1.5x"))
    assert code == 0
    assert "side by side" not in said
    assert "Nothing was measured" not in said  # one of the tests is not a benchmark


def test_who_asks_for_benchmarks_alone_is_told_how_they_are_measured(suite):
    """A session with only benchmarks that measures none of them says which option is missing."""
    said = suite("--benchmark-disable")[1]
    assert "Nothing was measured: add --benchmark-only, or --mcp-perf-report" in said
    assert "Nothing was measured" not in suite(MEASURED)[1]
    assert "Nothing was measured" not in suite("--benchmark-disable", "--collect-only")[1]


def test_sides_without_a_gate_are_compared_all_the_same(suite, tmp_path):
    """The terminal and the page of links show the ratio with its interval."""
    said = suite("--mcp-perf-report=out", "-k", "large")[1]
    ratio = r"slow\.throughput is (\S+)\u00d7 fast, between \S+\u00d7 and \S+\u00d7 \(95 %\)"
    found = re.search(r"no gate test_it\.py::test_spin\[large\]: " + ratio, said)
    assert 0.01 < float(found[1]) < 1  # a quarter on a machine without other load
    assert re.search(ratio, (tmp_path / "out" / "index.md").read_text())
    assert "no gate test_it.py::test_spin[small]" not in suite(MEASURED)[1]


def test_a_report_is_written_for_every_comparison(suite, tmp_path):
    """The option alone measures; it writes journal, HTML, JSON, Markdown, and a page of links.

    Tests whose names differ only in what a folder's name cannot have get separate folders.
    """
    tests = SUITE.replace('"large"', '"small:"')
    code, said = suite("--mcp-perf-report=out", "--benchmark-disable", "-k", "spin", tests=tests)
    folder = tmp_path / "out" / "test_it.py-test_spin-small"
    assert {path.name for path in folder.iterdir()} == {
        "journal.jsonl",
        "report.html",
        "report.json",
        "report.md",
    }
    report = json.loads((folder / "report.json").read_text())
    assert report["title"] == "Slow is slower."
    # A shared machine may be too uneven for a clear answer, and then the exit code says so.
    assert (code, report["verdict"]) in {(0, "PASS"), (1, "INCONCLUSIVE")}, said
    assert set(report["arms"]) == {"fast", "slow"}
    assert [row["phase"] for row in report["arms"]["slow"]["rounds"]] == ["round"] * 6
    index = (tmp_path / "out" / "index.md").read_text()
    links = re.findall(r"\]\(([^)]+)\)", index)
    assert len(set(links)) == 2
    assert all((tmp_path / "out" / link).is_file() for link in links)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--mcp-perf-report", "."), "to test what lies in it, write it before --mcp-perf-report"),
        (("--mcp-perf-report=test_it.py",), "File exists; name another folder"),
    ],
)
def test_reports_go_into_a_folder_of_their_own(suite, arguments, said):
    """A folder of tests, which is easily named by mistake, is refused, and so is a file."""
    code, output = suite(*arguments)
    assert code == 4
    assert said in output
    assert "Traceback" not in output


def test_no_report_is_promised_of_parallel_tests(suite, tmp_path):
    """pytest-benchmark measures nothing under pytest-xdist, so the session refuses to begin."""
    code, output = suite("--mcp-perf-report=out", "-p", "xdist", "-n", "2")
    assert code == 4
    assert "--mcp-perf-report measures, and parallel tests disturb that: leave out -n" in output
    assert not (tmp_path / "out").exists()


def test_every_side_is_a_benchmark_for_pytest_benchmark(suite, tmp_path):
    """It is stored, and found again by its name; the table compares it with the earlier session."""
    assert suite(MEASURED, "--benchmark-save=base", "-k", "spin")[0] == 0
    [stored] = tmp_path.glob(".benchmarks/*/0001_base.json")
    benchmarks = {row["name"]: row for row in json.loads(stored.read_text())["benchmarks"]}
    assert set(benchmarks) == {
        f"test_spin[{size}] {side}" for size in ("small", "large") for side in ("fast", "slow")
    }
    slow = benchmarks["test_spin[small] slow"]
    assert slow["group"] == "test_spin[small]"
    assert slow["extra_info"] == {"side": "slow"}
    assert 80e-6 <= slow["stats"]["min"] < 160e-6
    generous = "--benchmark-compare-fail=min:1000%"
    code, said = suite(MEASURED, "--benchmark-compare=0001", generous, "-k", "spin")
    assert code == 0
    assert "test_spin[small] slow (NOW)" in said
    assert "test_spin[small] slow (0001_base)" in said


def test_misuse_is_told_in_plain_words(suite):
    """The message says what is wrong, and what to do."""
    wrong = {
        "side_by_side({'a': int})": "one side is not a comparison",
        "side_by_side({'a b': int, 'c': int})": "'a b' is not a valid name of a side",
        "[side_by_side({'a': int, 'b': int}) for _ in '12']": "write one test per comparison",
        "side_by_side({'a': int, 'b': int}); benchmark(int)": "Fixture can only be used once",
    }
    tests = "\n".join(
        f"def test_{number}(side_by_side, benchmark):\n    {body}\n"
        for number, body in enumerate(wrong)
    )
    code, output = suite("--benchmark-disable", gates="", tests=tests)
    assert code == 1
    assert "4 failed" in output
    assert [said for said in wrong.values() if said not in output] == []


@pytest.mark.process
def test_the_example_of_the_page_works(suite, tmp_path):
    """The example in docs/how-to/benchmarks.md can be copied: test, gates and server address."""
    page = (ROOT / "docs" / "how-to" / "benchmarks.md").read_text("utf-8")
    [tests] = re.findall(r"```python\n(# test_search.py\n.*?)```", page, re.DOTALL)
    [gates] = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    with Systems(tmp_path / "logs") as systems:
        address = systems.face("echo/mcp").url
        code, said = suite(
            MEASURED,
            tests=tests.replace("http://127.0.0.1:8000/mcp", address),
            gates=gates.replace("test_search.py", "test_it.py"),
        )
    # There are two gates; a shared machine may be too uneven for a clear answer.
    judged = re.findall(r"\b(PASS|FAIL|INCONCLUSIVE) test_it\.py::test_two_messages", said)
    assert len(judged) >= 2, said
    assert set(judged) <= {"PASS", "INCONCLUSIVE"}, said
    assert code == int("INCONCLUSIVE" in judged), said


def test_a_gate_file_that_is_wrong_ends_the_session(suite):
    """It is a usage error, before any test runs."""
    code, said = suite(gates="test_it.py::test_thin:\n  - slow.p50 < 20ms\n")
    assert code == 4
    assert "is not a ratio of two sides" in said
