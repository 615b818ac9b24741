"""What the commands share: refusals, report formats, names to complete, and running a command."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from mcp_perf import interrupt

Callback = TypeVar("Callback", bound=Callable[..., Any])
FORMATS: Final = ("html", "json", "md", "csv", "junit")
PAGES: Final = FORMATS[:3]
"""The formats that every kind of report has."""


def formats_option(known: Sequence[str]) -> Callable[[Callback], Callback]:
    """Return the option that chooses formats: by default these; PDF only on demand."""

    def read(_context: object, _param: object, text: str) -> tuple[str, ...]:
        chosen = tuple(part.strip() for part in text.split(",") if part.strip())
        unknown = [part for part in chosen if part not in (*known, "pdf")]
        if unknown or not chosen:
            what = ", ".join(unknown) or "nothing"
            choices = f"{', '.join(known)}, pdf"
            raise Refused(f"--format: there is no format {what}; choose from {choices}")
        if "pdf" in chosen:
            from mcp_perf.results.render.files.pdf import PdfError, ready  # noqa: PLC0415

            try:
                ready()
            except PdfError as error:
                raise Refused(f"--format: {error}") from error
        return chosen

    default, said = ",".join(known), "Reports to write; pdf, too, with mcp-perf[pdf]."
    return click.option(
        "--format", "formats", default=default, show_default=True, callback=read, help=said
    )


def scenario_names(_context: object, _param: object, begun: str) -> list[CompletionItem]:
    """Complete the name of a scenario: by names, and by files if no name begins like it."""
    from mcp_perf.scenario.catalog import names  # noqa: PLC0415

    found = (name for name in names() if name.startswith(begun.replace("_", "-")))
    return [CompletionItem(begun, type="file"), *map(CompletionItem, found)]


class Refused(click.ClickException):
    """What was asked for cannot be done; nothing was sent, and nothing written."""

    exit_code = 104

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))

    def show(self, file: object = None) -> None:  # noqa: ARG002 -- click's signature
        """Say why, without a prefix."""
        from mcp_perf.results.document.text import visible  # noqa: PLC0415 -- for reports, too

        with suppress(BrokenPipeError):
            click.echo(visible(self.message), err=True)


class Unreached(Refused):
    """Nothing answered at the address of the target."""

    exit_code = 108


class Stopped(Refused):
    """Ctrl-C, or the end of the input, came before the command had finished."""

    exit_code = interrupt.CODE


class Fault(Refused):
    """mcp-perf itself failed."""

    exit_code = 107


@contextmanager
def told() -> Iterator[None]:
    """Raise what the engine refuses as a refusal of the command, with its exit code."""
    from mcp_perf.load.targets.refusal import Refusal  # noqa: PLC0415
    from mcp_perf.scenario.problems.problem import ScenarioError  # noqa: PLC0415
    from mcp_perf.scenario.problems.wording import InputError  # noqa: PLC0415

    try:
        yield
    except InputError as error:
        raise Refused(f"{error.message} - {error.hint}") from None
    except ScenarioError as error:
        raise Refused(*map(str, error.problems)) from None
    except Refusal as refusal:
        kind = Refused if refusal.exit_code == Refused.exit_code else Unreached
        raise kind(*refusal.lines) from None


def again(words: Sequence[str], stdout: int | None = None) -> tuple[int, bytes]:
    """Run `mcp-perf` with these words in another process; return its exit code and output.

    The process handles signals, and ends with a partial report: Ctrl-C reaches it directly,
    SIGTERM is passed on.
    """
    named = click.get_current_context().find_root().params.get("env_file")
    own = [] if named is None else ["--env-file", str(named)]
    command = [sys.executable, "-P", "-m", "mcp_perf", *own, *words]
    before = signal.signal(signal.SIGINT, interrupt.ignored)
    with subprocess.Popen(command, stdout=stdout) as process:  # noqa: S603 -- our own command
        ended = signal.signal(signal.SIGTERM, lambda *_given: process.terminate())
        said, _ = process.communicate()
    signal.signal(signal.SIGTERM, ended)
    signal.signal(signal.SIGINT, before)
    return process.returncode, said or b""
