"""The dual-runtime system's tools for tests, indexes and research, called from Python."""

import argparse
from contextlib import nullcontext

import anyio
import numpy as np
import pytest

from mcp_targets.dual_runtime import settings
from mcp_targets.dual_runtime.errors import Conflict, NotFound, TimedOut, ToolFailure
from mcp_targets.dual_runtime.groups import test_runner as runners
from mcp_targets.dual_runtime.groups.vector_index import SHARD_ROWS, Index, IndexManager
from mcp_targets.dual_runtime.settings import UPSTREAMS
from mcp_targets.dual_runtime.system import started
from mcp_targets.serving import processes


def test_search_finds_what_a_full_comparison_finds(tmp_path):
    """Over many shards, nearest by cosine first."""
    rng = np.random.default_rng(1)
    vectors = {f"v{number}": rng.normal(size=16).tolist() for number in range(500)}
    manager = IndexManager(tmp_path)
    manager.index_create("x", 16)
    names = list(vectors)
    for start in range(0, 500, 50):
        manager.index_add("x", {name: vectors[name] for name in names[start : start + 50]})
    wanted = rng.normal(size=16)

    def cosine(name):
        vector = np.array(vectors[name])
        return float(vector @ wanted / np.linalg.norm(vector) / np.linalg.norm(wanted))

    best = sorted(names, key=cosine, reverse=True)[:10]
    found = manager.index_search("x", wanted.tolist(), 10)["hits"]
    assert [hit["key"] for hit in found] == best
    assert found[0]["score"] == pytest.approx(cosine(best[0]), abs=1e-5)
    manager.index_optimise("x")
    assert manager.index_search("x", wanted.tolist(), 10)["hits"] == found
    assert manager.index_metrics("x")["searches"] == 2


def test_optimising_makes_full_shards_and_keeps_the_newest_of_a_key():
    """Afterwards there is one vector per key."""
    index = Index(2)
    index.add({f"v{number}": [1, number + 1] for number in range(SHARD_ROWS)})
    index.add({"v0": [0, 1], "extra": [1, 0]})
    index.optimise()
    assert [len(keys) for keys, _ in index.shards] == [SHARD_ROWS, 1]
    assert index.search([0, 1], 1) == [{"key": "v0", "score": 1.0}]


def test_an_index_comes_back_from_its_file_as_it_was_optimised(tmp_path):
    """Later additions are not in it; another process can load it."""
    manager = IndexManager(tmp_path)
    manager.index_create("x", 2)
    with pytest.raises(NotFound, match="never saved"):
        manager.index_load("x")
    manager.index_add("x", {"a": [1, 0]})
    manager.index_optimise("x")
    manager.index_add("x", {"b": [0, 1]})
    loaded = IndexManager(tmp_path).index_load("x")
    assert (loaded["rows"], loaded["dimension"]) == (1, 2)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (lambda m: m.index_create("../x", 2), "cannot create"),
        (lambda m: m.index_create("y", 0), "cannot create"),
        (lambda m: m.index_add("x", {"a": [1]}), "needs 2 numbers"),
        (lambda m: m.index_add("x", {"a": [0, 0]}), "not zero"),
        (lambda m: m.index_add("x", {"a": [float("nan"), 0]}), "finite"),
        (lambda m: m.index_search("y", [1, 0], 1), "no index 'y'"),
        (lambda m: m.index_load("../x"), "never saved"),
    ],
)
def test_what_cannot_be_an_index_or_a_vector_is_refused(tmp_path, wrong, problem):
    """So is a path in place of a name."""
    manager = IndexManager(tmp_path)
    manager.index_create("x", 2)
    with pytest.raises(ToolFailure, match=problem):
        wrong(manager)
    with pytest.raises(Conflict):
        manager.index_create("x", 2)


def test_tests_are_run_in_a_folder_of_their_own_unless_one_is_named(tmp_path, monkeypatch):
    """The current folder may contain anybody's files, and a test is a program."""
    (tmp_path / "test_planted.py").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        processes, "upstream", lambda *_: nullcontext(dict.fromkeys(UPSTREAMS, "http://127.0.0.1"))
    )
    parser = argparse.ArgumentParser()
    settings.add_arguments(parser)
    for arguments in ([], ["--root", str(tmp_path)]):
        with started(parser.parse_args(arguments)) as system:
            [tool] = [one for one in system.registry if one.metadata.name == "run_tests"]
            planted = tool.function.__self__._root / "test_planted.py"
            assert planted.exists() is bool(arguments)


def run(root, tool, path=".", timeout_s=60):
    """Run a tool on a path below a folder."""

    async def main():
        return await runners.TestRunner(root).run_tests(path, tool, timeout_s * 1000)

    return anyio.run(main, backend="trio")


@pytest.mark.process
@pytest.mark.parametrize(
    ("tool", "text", "ok"),
    [
        ("pytest", "def test_a(): pass\ndef test_b(): assert 0\n", False),
        ("unittest", "import unittest\nclass T(unittest.TestCase):\n def test(self): pass\n", True),
        ("mypy", "x: int = 'a'\n", False),
    ],
)
def test_a_tool_is_run_on_a_path_and_its_verdict_returned(tmp_path, tool, text, ok):
    """With the tool's own exit code and output."""
    (tmp_path / "test_it.py").write_text(text)
    result = run(tmp_path, tool, "test_it.py")
    assert result["ok"] is ok
    assert (result["exit_code"] == 0) is ok
    if tool == "pytest":
        assert result["counts"] == {"passed": 1, "failed": 1}


@pytest.mark.process
def test_a_run_that_takes_too_long_is_killed(tmp_path):
    """The error says so."""
    (tmp_path / "test_it.py").write_text("import time\ndef test_a(): time.sleep(600)\n")
    with pytest.raises(TimedOut, match=r"took longer than 0\.2 s"):
        run(tmp_path, "pytest", "test_it.py", 0.2)


@pytest.mark.parametrize(
    ("tool", "path", "code"),
    [
        ("pytest", "../..", "OUTSIDE"),
        ("pytest", "/etc", "OUTSIDE"),
        ("pytest", "nothing.py", "NO_SUCH_PATH"),
        ("flake8", ".", "NOT_INSTALLED"),
    ],
)
def test_tools_run_only_below_the_folder(tmp_path, monkeypatch, tool, path, code):
    """A missing tool is named."""
    monkeypatch.setattr(runners.importlib.util, "find_spec", lambda name: name != "flake8" or None)
    with pytest.raises(ToolFailure) as refusal:
        run(tmp_path, tool, path)
    assert refusal.value.code == code
