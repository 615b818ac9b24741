"""The workflow that makes a release: all its steps, in a temporary repository with an origin."""

import shutil
import subprocess

import pytest
import yaml

from tests.support import ROOT
from tests.support.installed import Installed, build

pytestmark = pytest.mark.process

WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
LEAVE = ("tests/", "docs/", "reports/examples/")
WHO = {
    f"GIT_{role}_{what}": "a@localhost"
    for role in ("AUTHOR", "COMMITTER")
    for what in ("NAME", "EMAIL")
}


def steps() -> list[dict]:
    """Return the steps of the workflow."""
    return yaml.safe_load(WORKFLOW.read_text("utf-8"))["jobs"]["release"]["steps"]


@pytest.fixture
def git(tmp_path, environment):
    """Return a function that runs git in the repository."""

    def run(*words, folder=tmp_path / "repository"):
        argv = ["git", *map(str, words)]
        env = {**environment, **WHO, "GIT_CONFIG_GLOBAL": "/dev/null"}
        return subprocess.run(
            argv, cwd=folder, env=env, check=True, capture_output=True, text=True
        ).stdout

    return run


@pytest.fixture
def checkout(tmp_path, git):
    """Copy the checkout into a repository with an origin."""
    folder = tmp_path / "repository"
    for name in git("ls-files", "--cached", "--others", "--exclude-standard", folder=ROOT).split(
        "\n"
    ):
        if name and not name.startswith(LEAVE) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git("init", "--quiet", "--bare", "--initial-branch=main", tmp_path / "origin", folder=tmp_path)
    git("init", "--quiet", "--initial-branch=main")
    git("remote", "add", "origin", tmp_path / "origin")
    git("add", "--all")
    git("commit", "--quiet", "--message=All")
    git("push", "--quiet", "--set-upstream", "origin", "main")
    return folder


def test_a_release_is_built_tried_tagged_and_only_then_pushed(
    checkout, git, tmp_path, environment, runners
):
    """Version and changelog are one commit, the tag has its notes, the wheel has the version."""
    python = Installed(tmp_path / "python", build("build_wheel", tmp_path), "hatchling")
    env = {**environment, **python.settings, "GITHUB_ACTOR": "me", "GIT_CONFIG_GLOBAL": "/dev/null"}
    env["PATH"] = f"{python.bin}:{env['PATH']}"
    ended = runners.GitHub(runners.Shell(checkout, env), tmp_path).job(
        steps(), version="98.7.6", publish="true"
    )
    assert not ended.failed, ended.logs
    assert "98.7.6" in ended.logs["Install what was built"]
    assert git("show", "--format=%s", "--name-only").split() == [
        *("Release", "98.7.6", "CHANGELOG.md", "pyproject.toml"),
    ]
    origin = tmp_path / "origin"
    assert git("rev-parse", "v98.7.6^{commit}", folder=origin) == git("rev-parse", "HEAD")
    assert git("rev-parse", "main", folder=origin) == git("rev-parse", "HEAD")
    assert "### Added" in git("tag", "--list", "--format=%(contents)", "v98.7.6")
    assert {path.name for path in (checkout / "dist").iterdir()} == {
        "mcp_perf-98.7.6.tar.gz",
        "mcp_perf-98.7.6-py3-none-any.whl",
    }


def test_a_dry_run_leaves_out_what_leaves_the_job():
    """It skips the last two steps, which push and publish; it is the default."""
    wanted = [step["name"] for step in steps() if step.get("if") == "inputs.publish"]
    assert wanted == [step["name"] for step in steps()[-2:]]
    inputs = yaml.safe_load(WORKFLOW.read_text("utf-8"))[True]["workflow_dispatch"]["inputs"]
    assert inputs["publish"]["default"] is False  # YAML reads the key `on` as true
