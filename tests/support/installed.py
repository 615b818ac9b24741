"""mcp-perf as it is published: a wheel in a package index, installed from there by pip.

Nothing is downloaded: the wheel's requirements are linked from the environment of these tests, so
pip finds them all installed.
"""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

from tests.support import ROOT

BUILD = """
import sys
from hatchling import build
print(getattr(build, sys.argv[1])(sys.argv[2]))
"""
SCRIPT = """#!{python}
import sys
from {module} import {function}
sys.exit({function}())
"""
PIP = '#!/bin/sh\nexec {own} -I -m pip --python {bin}/python "$@"\n'


def build(kind: str, folder: Path, checkout: Path = ROOT) -> Path:
    """Build a wheel or an sdist; `build_editable` builds an editable install's wheel."""
    argv = [sys.executable, "-c", BUILD, kind, str(folder)]
    built = subprocess.run(argv, cwd=checkout, check=True, capture_output=True, text=True)
    return folder / built.stdout.split()[-1]


class Installed:
    """A venv in which only required packages can be imported."""

    def __init__(self, folder: Path, wheel: Path, *others: str) -> None:
        """Link the wheel's requirements, and `others` with their commands."""
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        self.bin = folder / "bin"
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.packages = folder / "lib" / version / "site-packages"
        [own] = Distribution.discover(name="mcp-perf", path=[str(wheel)])
        for found in with_requirements([*_wanted(own), *others]):
            self._link(found)
        self._write("pip", PIP.format(own=sys.executable, bin=self.bin))
        self.settings = {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": _index(folder / "index", wheel),
            "PIP_EXTRA_INDEX_URL": "",
            "PIP_FIND_LINKS": "",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        """Variables for pip: its only index has nothing but the wheel."""

    def install(self) -> "Installed":
        """Run `pip install mcp-perf`; note the names that it adds to the packages."""
        before = {path.name for path in self.packages.iterdir()}
        argv = [self.bin / "pip", "install", "--quiet", "mcp-perf"]
        subprocess.run(argv, env=os.environ | self.settings, check=True)
        self.added = {path.name for path in self.packages.iterdir()} - before
        return self

    def _link(self, found: Distribution) -> None:
        for top in {path.parts[0] for path in found.files or ()} - {"..", "__pycache__"}:
            if not (self.packages / top).exists():
                (self.packages / top).symlink_to(Path(sysconfig.get_path("purelib")) / top)
        for entry in found.entry_points.select(group="console_scripts"):
            names = {"module": entry.module, "function": entry.attr}
            self._write(entry.name, SCRIPT.format(python=self.bin / "python", **names))

    def _write(self, command: str, text: str) -> None:
        (self.bin / command).write_text(text)
        (self.bin / command).chmod(0o755)


def _index(folder: Path, wheel: Path) -> str:
    """Create an index of one file (PEP 503); return its address."""
    project = folder / "mcp-perf"
    project.mkdir(parents=True)
    (project / wheel.name).symlink_to(wheel)
    (project / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    return folder.as_uri()


def _wanted(found: Distribution, extras: Iterable[str] = ()) -> Iterator[str]:
    """Yield the requirements of a distribution here, with these extras."""
    for text in found.requires or ():
        marker = Requirement(text).marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield text


def with_requirements(texts: list[str]) -> list[Distribution]:
    """Return these distributions and all their requirements, direct and indirect."""
    found: dict[tuple[str, ...], Distribution] = {}
    for text in texts:
        wanted = Requirement(text)
        key = (wanted.name, *sorted(wanted.extras))
        if key not in found:
            found[key] = distribution(wanted.name)
            texts += _wanted(found[key], wanted.extras)
    return list(found.values())
