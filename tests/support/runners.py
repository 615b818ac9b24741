"""The part of CI services that runs shell scripts: steps in order, in the runner's environment.

A step's `uses` is recorded, not run. The only expressions are the kind in our files: names with
dots.
"""

import contextlib
import os
import re
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

_EXPRESSION = re.compile(r"\$\{\{ ([\w.-]+) \}\}")
_LIMIT_S = 60


@dataclass
class Shell:
    """Runs scripts in one folder and environment; processes that they leave running end with it."""

    folder: Path
    environment: dict[str, str]
    groups: list[int] = field(default_factory=list)

    def run(self, argv: list[str], log: Path, **more: str) -> int:
        """Run to the end; return the exit code."""
        with log.open("w") as out:
            process = subprocess.Popen(
                argv,
                cwd=self.folder,
                env={**self.environment, **more},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.groups.append(process.pid)
        return process.wait(_LIMIT_S)

    def end(self) -> None:
        """End the servers that scripts started in the background."""
        for group in self.groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)


@dataclass
class Ended:
    """A job that has ended."""

    codes: dict[str, int] = field(default_factory=dict)
    """The result of each step that was run."""
    logs: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    uses: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """The actions that were not run, with their inputs."""

    @property
    def failed(self) -> bool:
        """Return whether a step failed."""
        return any(self.codes.values())


class GitHub:
    """Runs one job of a workflow."""

    def __init__(self, shell: Shell, temp: Path) -> None:
        self.shell = shell
        self.temp = temp
        self.ended = Ended()

    def job(self, steps: list[dict], **inputs: str) -> Ended:
        """Run the steps of a job, in a workflow started with these inputs."""
        known = {f"inputs.{name}": value for name, value in inputs.items()}
        known["runner.temp"] = str(self.temp)
        for step in steps:
            condition = step.get("if", "success()")
            if condition == "always()" or (
                not self.ended.failed and known.get(condition, condition) in ("success()", "true")
            ):
                self._step(step, known)
        return self.ended

    def _step(self, step: dict, known: dict[str, str]) -> None:
        texts = step.get("env" if "run" in step else "with", {})
        given = {name: fill(text, known) for name, text in texts.items()}
        if "run" in step:
            self._script(step, given)
        else:
            self.ended.uses.append((step["uses"], given))

    def _script(self, step: dict, environment: dict[str, str]) -> None:
        assert step["shell"] == "bash"
        number = len(self.ended.codes)
        script, log = self.temp / f"{number}.sh", self.temp / f"{number}.log"
        summary = self.temp / f"{number}.md"
        script.write_text(step["run"])
        summary.touch()
        self.ended.codes[step["name"]] = self.shell.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            log,
            **environment,
            GITHUB_STEP_SUMMARY=str(summary),
            RUNNER_TEMP=str(self.temp),
            GITHUB_ACTIONS="true",
            CI="true",
        )
        self.ended.logs[step["name"]] = log.read_text()
        self.ended.summary += summary.read_text()


def fill(value: object, known: dict[str, str]) -> str:
    """Replace expressions by their values; an unknown name is a mistake in the file."""
    return _EXPRESSION.sub(lambda match: known[match[1]], str(value))


def gitlab(shell: Shell, jobs: dict, name: str, log: Path) -> Ended:
    """Run a GitLab job: its lines and the lines of the job it extends are one script."""
    job = {**jobs[jobs[name]["extends"]], **jobs[name]}
    lines = [*job["before_script"], *job["script"]]
    code = shell.run(
        ["bash", "-eo", "pipefail", "-c", "\n".join(lines)], log, CI="true", GITLAB_CI="true"
    )
    return Ended(codes={name: code}, logs={name: log.read_text()})
