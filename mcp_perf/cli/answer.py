"""How every command answers: in words, as one JSON document, or by its exit code alone."""

import errno
import json
import os
import sys
import traceback
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from mcp_perf import interrupt
from mcp_perf.cli.refused import Fault, Refused, Stopped

if TYPE_CHECKING:
    from rich.console import Console

_JSON: Final = "mcp_perf.json"
_QUIET: Final = "mcp_perf.quiet"


def _note(context: click.Context, option: click.Parameter, value: bool) -> None:
    if value:  # a group above this command was not asked
        context.meta[f"mcp_perf.{option.name}"] = True


_WAYS: Final = [
    click.Option(names, is_flag=True, expose_value=False, help=text, callback=_note)
    for names, text in (
        (["--json"], "Answer with one JSON document on stdout."),
        (["-q", "--quiet"], "Print only errors."),
    )
]
"""The options that say in which way a command answers."""


class Commands(click.Group):
    """A group of commands that can all answer in each of the ways."""

    def add_command(self, command: click.Command, name: str | None = None) -> None:
        """Give a command the options; a group that only holds commands does not answer."""
        if not isinstance(command, click.Group) or command.invoke_without_command:
            command.params += _WAYS
        super().add_command(command, name)


class Program(Commands):
    """The command itself: it says what went wrong below it in a sentence, without a traceback."""

    def __init__(self, *args: Any, **how: Any) -> None:
        super().__init__(*args, **how)
        self.params += _WAYS

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Look for --json first, so that even a mistake before it is answered in JSON."""
        ours = args[: args.index("--")] if "--" in args else args
        ctx.meta[_JSON] = "--json" in ours
        return super().parse_args(ctx, args)

    def make_context(self, *given: Any, **how: Any) -> click.Context:
        """Read the command line. Raises ClickException."""
        try:
            return super().make_context(*given, **how)
        except KeyboardInterrupt:
            interrupt.leaving()
            raise Stopped(interrupt.SAID) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. Raises ClickException for all that goes wrong."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            wrong: click.ClickException = error
        except click.exceptions.Exit:
            raise
        except (click.Abort, KeyboardInterrupt, EOFError):
            wrong = Stopped(interrupt.SAID)
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise
            wrong = _fault(error)
        finally:
            interrupt.leaving()
        lines = wrong.format_message().splitlines()
        answer({"exit_code": wrong.exit_code, "refused": lines})
        raise wrong


def _fault(error: Exception) -> Fault:
    if isinstance(error, OSError):
        file = f" ({error.filename})" if error.filename else ""
        return Fault(f"The operating system refused a request: {error.strerror}{file}.")
    where = traceback.extract_tb(error.__traceback__)[-1]
    text = f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"
    return Fault(f"A fault in mcp-perf, please report it: {text}")


def in_json() -> bool:
    """Return whether the command answers as JSON."""
    return _asked(_JSON)


def no_json() -> None:
    """Refuse --json with --ci: both need all of stdout. Raises Refused."""
    if in_json():
        raise Refused("--ci and --json cannot be combined; to get JSON with --ci, add --out")


def in_words() -> bool:
    """Return whether the command answers in words."""
    return not (in_json() or is_quiet())


def is_quiet() -> bool:
    """Return whether to print only errors."""
    return _asked(_QUIET)


def _asked(how: str) -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(how))


def answer(
    document: object, *lines: str, draw: Callable[["Console"], object] | None = None
) -> None:
    """Answer with a document, or in words: by lines, and by what is drawn on a console."""
    if in_json():
        import msgspec  # noqa: PLC0415

        read = json.loads(msgspec.json.encode(document, enc_hook=_plain))
        _write(json.dumps(read, indent=2))  # in ASCII: what others wrote steers no terminal
    elif in_words():
        for line in lines:
            say(line)
        if draw is not None:
            draw(console())


def _plain(part: Any) -> Any:
    return json.loads(part.as_json()) if hasattr(part, "as_json") else str(part)


def console(**style: Any) -> "Console":
    """Return a console with the set colours; if nobody reads it any more, the rest is dropped."""
    from rich.console import Console  # noqa: PLC0415

    from mcp_perf.settings import current  # noqa: PLC0415 -- it loads pydantic

    chosen = {"auto": {}, "never": {"no_color": True}, "always": {"force_terminal": True}}
    quiet = is_quiet() if style.get("stderr") else not in_words()
    made = Console(quiet=quiet, **{**chosen[current().colour], **style})
    made.on_broken_pipe = partial(_unread, err=made.stderr)  # type: ignore[method-assign]
    return made


def say(text: str, *, err: bool = False) -> None:
    """Print what may hold words of others (names, titles, answers), unless it is unwanted.

    Remarks go to stderr (`err`), with a JSON document, too.
    """
    from mcp_perf.results.document.text import visible  # noqa: PLC0415 -- it is for reports, too

    if in_words() or (err and not is_quiet()):
        _write(visible(text), err=err)


def _write(text: str, *, err: bool = False) -> None:
    try:
        click.echo(text, err=err)
    except BrokenPipeError:
        _unread(err=err)


def _unread(*, err: bool) -> None:
    """Go on when nobody reads any more: a run still has to write its reports, and to end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), (sys.stderr if err else sys.stdout).fileno())
