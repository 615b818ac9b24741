"""CI services, as far as they run shell scripts: steps in their order, in the runner's environment.

What a step `uses` from elsewhere is recorded, not run. Expressions are those that the files have:
names with dots.
"""

import contextlib
import os
import re
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import yaml

_EXPRESSION = re.compile(r"\$\{\{ ([\w.-]+) \}\}")
_LIMIT_S = 60


@dataclass
class Shell:
    """Runs scripts in one folder and environment; what they leave running ends with it."""

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
        """End the servers that scripts put into the background."""
        for group in self.groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)


@dataclass
class Ended:
    """A job that has ended."""

    codes: dict[str, int] = field(default_factory=dict)
    """Per step that was run."""
    logs: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    """Per step id; for a step that uses an action, by its name."""
    uses: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """What was not run, with its inputs."""

    @property
    def failed(self) -> bool:
        """Tell whether a step did."""
        return any(self.codes.values())


class GitHub:
    """Runs one job of a workflow."""

    def __init__(self, shell: Shell, temp: Path) -> None:
        self.shell = shell
        self.temp = temp
        self.ended = Ended()

    def job(self, steps: list[dict]) -> Ended:
        """Run the steps of a job."""
        self._steps(steps, {"runner.temp": str(self.temp)}, {})
        return self.ended

    def _steps(self, steps: list[dict], known: dict[str, str], environment: dict[str, str]) -> None:
        for step in steps:
            condition = step.get("if", "success()")
            if condition == "always()" or (condition == "success()" and not self.ended.failed):
                self._step(step, known, environment)
            else:
                assert condition == "success()", condition

    def _step(self, step: dict, known: dict[str, str], environment: dict[str, str]) -> None:
        given = {name: fill(value, known) for name, value in step.get("with", {}).items()}
        if "run" in step:
            env = {name: fill(value, known) for name, value in step.get("env", {}).items()}
            self._script(step, known, {**environment, **env})
        elif step["uses"].startswith("./"):
            self._action(step, self.shell.folder / step["uses"], given)
        else:
            self.ended.uses.append((step["uses"], given))

    def _action(self, step: dict, folder: Path, given: dict[str, str]) -> None:
        action = yaml.safe_load((folder / "action.yml").read_text("utf-8"))
        assert given.keys() <= action["inputs"].keys()
        known = {}
        for name, declared in action["inputs"].items():
            assert name in given or not declared.get("required"), name
            known[f"inputs.{name}"] = given.get(name, declared.get("default"))
        self._steps(action["runs"]["steps"], known, {"GITHUB_ACTION_PATH": str(folder)})
        self.ended.outputs[step["name"]] = {
            name: fill(output["value"], known) for name, output in action["outputs"].items()
        }

    def _script(self, step: dict, known: dict[str, str], environment: dict[str, str]) -> None:
        assert step["shell"] == "bash"
        number = len(self.ended.codes)
        script, log = self.temp / f"{number}.sh", self.temp / f"{number}.log"
        summary, output = self.temp / f"{number}.md", self.temp / f"{number}.out"
        script.write_text(step["run"])
        summary.touch()
        output.touch()
        self.ended.codes[step["name"]] = self.shell.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            log,
            **environment,
            GITHUB_STEP_SUMMARY=str(summary),
            GITHUB_OUTPUT=str(output),
            RUNNER_TEMP=str(self.temp),
            GITHUB_ACTIONS="true",
            CI="true",
        )
        self.ended.logs[step["name"]] = log.read_text()
        self.ended.summary += summary.read_text()
        for line in output.read_text().splitlines():
            name, _, value = line.partition("=")
            known[f"steps.{step['id']}.outputs.{name}"] = value


def fill(value: object, known: dict[str, str]) -> str:
    """Put what is known in the place of expressions; an unknown name is a mistake of the file."""
    return _EXPRESSION.sub(lambda match: known[match[1]], str(value))


def gitlab(shell: Shell, jobs: dict, name: str, log: Path) -> Ended:
    """Run a job of GitLab: its lines, and those of what it extends, are one script."""
    job = {**jobs[jobs[name]["extends"]], **jobs[name]}
    lines = [*job["before_script"], *job["script"]]
    code = shell.run(
        ["bash", "-eo", "pipefail", "-c", "\n".join(lines)], log, CI="true", GITLAB_CI="true"
    )
    return Ended(codes={name: code}, logs={name: log.read_text()})
