"""What the commands share: a refusal, the formats of reports."""

from typing import Final

import click

FORMATS: Final = ("html", "json", "md", "csv", "junit")
formats_option = click.option(
    "--format", "formats", default=",".join(FORMATS), show_default=True, help="Reports to write."
)


class Refused(click.ClickException):
    """What was asked for cannot be done; nothing was sent, and nothing written."""

    exit_code = 104

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))

    def show(self, file: object = None) -> None:  # noqa: ARG002 -- click's signature
        """Say why, without a prefix."""
        click.echo(self.message, err=True)


def read_formats(text: str) -> tuple[str, ...]:
    """Read `html,json`. Raises Refused for an unknown format."""
    chosen = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [part for part in chosen if part not in FORMATS]
    if unknown or not chosen:
        what = ", ".join(unknown) or "nothing"
        raise Refused(f"--format: no format {what}; choose from {', '.join(FORMATS)}")
    return chosen
