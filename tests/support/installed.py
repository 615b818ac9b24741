"""An environment with mcp-perf installed, and of other packages only those that it requires."""

import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

SCRIPT = """#!{python}
import sys
from {module} import {function}
sys.exit({function}())
"""


class Installed:
    """A venv: a package that is not required cannot be imported there.

    What is required is linked from the environment of these tests, so that nothing is downloaded.
    """

    def __init__(self, folder: Path, wheel: Path, *others: str) -> None:
        """`others` are required beside the wheel, and so are their commands."""
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        self.bin = folder / "bin"
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.packages = folder / "lib" / version / "site-packages"
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        pip += ["--python", str(self.bin / "python"), "install", "--no-deps", "--no-index"]
        subprocess.run([*pip, str(wheel)], check=True)
        self.added = {path.name for path in self.packages.iterdir()}
        """What the installation of the wheel put there."""
        [own] = Distribution.discover(name="mcp-perf", path=[str(self.packages)])
        for found in _with_requirements([*_wanted(own), *others]):
            self._link(found)

    def _link(self, found: Distribution) -> None:
        for top in {path.parts[0] for path in found.files or ()} - {"..", "__pycache__"}:
            if not (self.packages / top).exists():
                (self.packages / top).symlink_to(Path(sysconfig.get_path("purelib")) / top)
        for entry in found.entry_points.select(group="console_scripts"):
            script = self.bin / entry.name
            names = {"module": entry.module, "function": entry.attr}
            script.write_text(SCRIPT.format(python=self.bin / "python", **names))
            script.chmod(0o755)


def _wanted(found: Distribution, extras: Iterable[str] = ()) -> Iterator[str]:
    """Yield what a distribution requires here, with these extras."""
    for text in found.requires or ():
        marker = Requirement(text).marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield text


def _with_requirements(texts: list[str]) -> list[Distribution]:
    """Return what these require, and what that requires in turn."""
    found: dict[tuple[str, ...], Distribution] = {}
    for text in texts:
        wanted = Requirement(text)
        key = (wanted.name, *sorted(wanted.extras))
        if key not in found:
            found[key] = distribution(wanted.name)
            texts += _wanted(found[key], wanted.extras)
    return list(found.values())
