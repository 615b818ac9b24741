"""Make a release of this checkout: version, changelog, sdist and wheel, commit and tag.

    python .ci/release.py 0.2.0

Nothing leaves the checkout. .github/workflows/release.yml publishes what is made here.
"""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

UNRELEASED = "\n## [Unreleased]\n"


def numbered(project: str, version: str) -> str:
    """Return pyproject.toml with the new version."""
    [before] = re.findall(r'^version = "(.+)"$', project, re.MULTILINE)
    if not re.fullmatch(r"\d+\.\d+\.\d+", version) or _parts(version) < _parts(before):
        sys.exit(f"{version}: write a version such as 0.2.0, which is not before {before}")
    return project.replace(f'\nversion = "{before}"\n', f'\nversion = "{version}"\n')


def dated(changelog: str, version: str, day: str) -> tuple[str, str]:
    """Return CHANGELOG.md with what is unreleased as this version, and that part."""
    head, _, rest = changelog.partition(UNRELEASED)
    notes = rest.partition("\n## [")[0].strip()
    if not notes:
        sys.exit("CHANGELOG.md: nothing is new since the last release")
    return f"{head}{UNRELEASED}\n## [{version}] - {day}\n{rest}", notes


def main(version: str) -> None:
    """Write both files, build, commit and tag."""
    tag = f"v{version}"
    if _git("status", "--porcelain"):
        sys.exit("commit or stash what has changed first")
    if _git("tag", "--list", tag):
        sys.exit(f"{tag} has been released")
    project, changelog = Path("pyproject.toml"), Path("CHANGELOG.md")
    day = datetime.now(UTC).date().isoformat()
    text = numbered(project.read_text("utf-8"), version)
    history, notes = dated(changelog.read_text("utf-8"), version, day)
    project.write_text(text, "utf-8")
    changelog.write_text(history, "utf-8")
    subprocess.run([sys.executable, "-m", "hatchling", "build"], check=True)
    _git("commit", "--quiet", "--all", "--message", f"Release {version}")
    _git("tag", "--annotate", tag, "--cleanup=whitespace", "--message", f"{version}\n\n{notes}")


def _parts(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main(*sys.argv[1:])
