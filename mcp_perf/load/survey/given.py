"""What a person points at: an address, a command, or a server of an MCP client's configuration."""

import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from mcp_perf.client.protocol.versions import VERSIONS
from mcp_perf.scenario.model.confidential import SOUNDS_SECRET
from mcp_perf.scenario.model.targets import hostname, mcp_target, read_target, split_target
from mcp_perf.scenario.problems.suggestions import suggest
from mcp_perf.scenario.problems.wording import InputError, one_of, quote
from mcp_perf.scenario.values.recordings import Recording, is_recording, read_recording

_HOST: Final = r"[\w.-]+:\d+(?:/|$)"
LINE: Final = re.compile(rf"(?:https?|http\+unix|sse|stdio|python|system):|{_HOST}")
"""How a target begins; no scenario's name begins like this."""
Prompt = Callable[[str], str]
"""Asks a person for a value by its description. Raises InputError if nobody can answer."""
_KEYS: Final = ("mcpServers", "servers")
_COMMENT: Final = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/|,(?=\s*[}\]])', re.DOTALL)
_VARIABLE: Final = re.compile(r"\$\{(?:(env|input):)?([A-Za-z_][\w.-]*)(?::-([^}]*))?\}")
_ESCAPED: Final = re.compile(rf"\$(?:{_VARIABLE.pattern})")
"""A variable in a text in which `${` was doubled for a scenario."""
_PRIVATE: Final = (".local", ".localhost", ".internal", ".lan", ".home.arpa", ".test")
_FOLDERS: Final = ("workspaceFolder", "workspaceRoot")
_NO_SERVERS: Final = "no servers (mcpServers, or servers)"
_CONFIGURATION: Final = "name the configuration file of an MCP client, such as .vscode/mcp.json"


@dataclass(frozen=True)
class Given:
    """A target, and what it is given. Texts are as in a scenario: `${env:NAME}`."""

    line: str
    typed: str
    """How it is written at the end of a command line."""
    name: str = ""
    """The name in its file, or else the name that it gives itself."""
    headers: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = Path()
    protocol: str = ""
    """The version that was spoken, if it is known."""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Values that the texts look up, and our environment does not have; most of them are secret."""

    @property
    def is_public(self) -> bool:
        """Whether its address is neither of this machine nor of a private network."""
        host = hostname(self.line)
        try:
            return not ip_address(host).is_private
        except ValueError:
            return "." in host and not host.endswith(_PRIVATE)

    @property
    def is_here(self) -> bool:
        return hostname(self.line) in ("", "127.0.0.1", "::1", "localhost")

    def called(self, name: str) -> "Given":
        """Name it, unless it has a name; keep only what a scenario's name may have."""
        slug = "-".join(re.findall(r"[a-z0-9]+", (self.name or name).lower()))[:40].strip("-")
        return replace(self, name=slug or "my-server")

    def with_headers(self, headers: Mapping[str, str]) -> "Given":
        """Add headers; a value that may be secret becomes a variable."""
        variables = dict(self.variables)
        added = {name: _hidden(name, text, variables) for name, text in headers.items()}
        return replace(self, headers={**self.headers, **added}, variables=variables)


def of_line(line: str) -> Given:
    """Take an address, or another line of a target. Raises InputError."""
    if re.match(_HOST, line):
        raise InputError(f"{line} is not a target", f"http:// is missing: write http://{line}")
    transport, rest = split_target(read_target(line))
    return Given(line, f"-- {rest}" if transport == "stdio" else line)


def of_command(words: Sequence[str]) -> Given:
    """Take a command with its arguments. Raises InputError."""
    if not words:
        raise InputError("there is no command after --", "write the command that starts the server")
    return of_line(mcp_target({"stdio": list(words)}))


def of_recording(path: Path, recording: Recording) -> Given:
    """Take the server of a recording. Raises InputError."""
    typed = shlex.join(["--from", str(path)])
    found = replace(of_line(recording.target), name=path.stem, typed=typed)
    # An arm over HTTP+SSE is of the other era, even if its server speaks both.
    named = recording.protocol in VERSIONS and not recording.target.startswith("sse:")
    protocol = recording.protocol if named else found.protocol
    return replace(found, cwd=Path(recording.cwd), protocol=protocol)


def of_file(path: Path, name: str, environ: Mapping[str, str], ask: Prompt) -> Given:
    """Take a server of a configuration; its name may be missing if it is the only one.

    Raises InputError. Variables may be Claude's (`${VAR:-x}`) and VS Code's (`${env:VAR}`,
    `${input:ID}`, `${workspaceFolder}`). If the file is a recording, take the recorded server.
    """
    if is_recording(path):
        return of_recording(path, read_recording(path))
    tree = _read(path)
    lists = (tree[key] for key in _KEYS if isinstance(tree.get(key), dict))
    found: dict[str, Any] = next(lists, {})
    if not found:
        raise InputError(f"{path} has {_NO_SERVERS}", _CONFIGURATION)
    if not name and len(found) > 1:
        raise InputError(f"{path} has several servers", f"name one of them: {one_of(found)}")
    name = name or next(iter(found))
    if not isinstance(server := found.get(name), dict):
        raise InputError(f"{path} has no server {quote(name)}", suggest(name, found))
    reader = _Variables(path, environ, ask, tree.get("inputs", ()))
    plain, url = reader.plain, server.get("url") or server.get("serverUrl")
    variables: dict[str, str] = reader.asked
    if url:
        line = ("sse:" if server.get("type") == "sse" else "") + plain(str(url))
    else:
        command = [server.get("command", ""), *server.get("args", ())]
        line = mcp_target({"stdio": [plain(str(word)) for word in command]})
    written = server.get("headers" if url else "env") or {}
    kept = {key: reader.kept(str(text)) for key, text in written.items()}
    texts = {key: _hidden(key, text, variables) for key, text in kept.items()}
    typed = shlex.join(["--from", str(path), name])
    made = replace(of_line(line), name=name, typed=typed, variables=variables)
    if url:
        return replace(made, headers=texts)
    return replace(made, env=texts, cwd=Path(plain(str(server.get("cwd") or "."))))


class _Variables:
    def __init__(self, path: Path, environ: Mapping[str, str], ask: Prompt, inputs: Any) -> None:
        self._path, self._environ, self._ask = path, environ, ask
        self._inputs = {one.get("id"): one for one in inputs if isinstance(one, dict)}
        self.asked: dict[str, str] = {}

    def plain(self, text: str) -> str:
        return _VARIABLE.sub(self._value, text)

    def kept(self, text: str) -> str:
        """Fill in all variables, except those in the environment and those that were asked for."""
        return _ESCAPED.sub(self._kept, text.replace("${", "$${"))

    def _kept(self, match: re.Match[str]) -> str:
        kind, name, _ = match.groups()
        value = self._value(match)
        if kind == "input":
            name = re.sub(r"\W", "_", name)
            self.asked[name] = value
        is_lookup = kind == "input" or (name in self._environ and name not in _FOLDERS)
        return f"${{env:{name}}}" if is_lookup else value

    def _value(self, match: re.Match[str]) -> str:
        kind, name, default = match.groups()
        if kind == "input":
            if name not in self.asked:
                told = self._inputs.get(name, {})
                self.asked[name] = self._ask(f"{name}: {told.get('description', 'a value')}")
            return self.asked[name]
        if name in _FOLDERS and kind is None:
            folder = self._path.resolve().parent
            return str(folder.parent if folder.name == ".vscode" else folder)
        value = self._environ.get(name, default)
        if value is None and kind is None:
            raise InputError(f"{self._path}: the variable {name} is not set", f"export {name}=…")
        return value or ""


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
        tree = json.loads(_COMMENT.sub(lambda match: match[1] or "", text))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "check the path") from None
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}", _CONFIGURATION) from None
    return tree if isinstance(tree, dict) else {}


def _hidden(name: str, text: str, variables: dict[str, str]) -> str:
    """Replace a value that may be secret by a lookup of a variable, and add that variable."""
    if "${env:" in text or not (SOUNDS_SECRET.search(name) or "auth" in name.lower()):
        return text
    variable = re.sub(r"\W", "_", name).upper()
    variables[variable] = text.replace("$${", "${")
    return f"${{env:{variable}}}"
