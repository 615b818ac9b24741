"""The image, the compose file and the manifests, tested without an image registry."""

import functools
import ipaddress
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import StringIO

import httpx
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from kubernetes_validate import validate

from mcp_targets.business_tools.access import __main__ as access
from mcp_targets.business_tools.names import TOOLS
from mcp_targets.serving.processes import Child
from tests.support import ROOT
from tests.support.installed import build
from tests.support.waiting import until

DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
MANIFESTS = [
    one
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for one in yaml.safe_load_all(path.read_text("utf-8"))
]
PAGE = (ROOT / "docs" / "how-to" / "runbook.md").read_text("utf-8")
COMMANDS = "\n".join(re.findall(r"```\n(.*?)```", PAGE, re.DOTALL))


def manifest(kind, name):
    """Return a manifest."""
    (found,) = (one for one in MANIFESTS if (one["kind"], one["metadata"]["name"]) == (kind, name))
    return found


SERVER = manifest("Deployment", "business-tools")["spec"]["template"]["spec"]
PODS = [one["spec"]["template"]["spec"] for one in MANIFESTS if "template" in one.get("spec", {})]


@pytest.mark.parametrize("version", ["1.30", "1.37"])
def test_manifests_keep_to_the_schemas_of_kubernetes(version):
    """Strictly: unknown fields are errors."""
    for one in MANIFESTS:
        validate(one, version, strict=True)


@pytest.mark.process
def test_the_compose_file_and_its_scenario_keep_to_theirs(environment):
    """Compose's published schema, and ours."""
    for command in (
        ("check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml"),
        ("mcp-perf", "validate", DEPLOY / "load.yaml"),
    ):
        told = {**environment, "MCP_API_KEY": "key"}
        ended = subprocess.run(command, capture_output=True, text=True, check=False, env=told)
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_images_of_others_are_pinned():
    """To their full version."""
    used = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    used += [one["image"] for one in COMPOSE.values()]
    used += [container["image"] for pod in PODS for container in pod["containers"]]
    assert len(used) == 9
    assert [one for one in used if not re.fullmatch(r"[a-z-]+:\d+\.\d+\.\d+(-[a-z-]+)?", one)] == []
    assert "--constraint constraints.txt" in DOCKERFILE


def test_nothing_runs_as_root_or_without_limits():
    """No container can become root or write to its image, and each server has probes."""
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)
    for one in COMPOSE.values():
        assert one["cap_drop"] == ["ALL"]
        assert one["read_only"]
        assert {"mem_limit", "cpus"} <= set(one)
        assert one["image"].startswith("mcp-perf:") or one["user"]
    assert [name for name, one in COMPOSE.items() if "healthcheck" not in one] == ["load"]
    for pod in PODS:
        assert pod["securityContext"]["runAsNonRoot"]
        for container in pod["containers"]:
            assert container["resources"].keys() == {"requests", "limits"}
            assert {"livenessProbe", "readinessProbe"} <= set(container)
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


@pytest.mark.process
def test_the_image_is_built_of_what_it_copies(tmp_path):
    """A wheel built from only these files is the whole package."""
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for name in sources.split():
            if (ROOT / name).is_dir():
                leave = shutil.ignore_patterns("__pycache__", "out")
                shutil.copytree(ROOT / name, tmp_path / name, ignore=leave)
            else:
                shutil.copy(ROOT / name, tmp_path / name)
    assert build("build_wheel", tmp_path / "dist", tmp_path).stat().st_size > 1_000_000 / 2


@pytest.fixture
def made(capsys, monkeypatch):
    """Return a function that makes keys as the page says, from its argument and its input."""

    def make(what, typed=""):
        assert f"business_tools.access {what}\n" in COMMANDS
        monkeypatch.setattr("sys.argv", ["access", what])
        monkeypatch.setattr("sys.stdin", StringIO(typed))
        access.main()
        return capsys.readouterr().out.strip()

    return make


def certificate(folder):
    """Write a certificate for this machine and its key; return both paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, clear = serialization.Encoding.PEM, serialization.NoEncryption()
    paths = folder / "tls.crt", folder / "tls.key"
    paths[0].write_bytes(made.public_bytes(pem))
    paths[1].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, clear))
    return paths


GONE = """
provider: slack
title: Slack
category: communication
base_url: http://127.0.0.1:9
auth: {kind: query, name: token, key_format: '[a-z-]+'}
retry: {attempts: 1}
operations:
  send_message: {description: Send a message., request: POST /chat}
"""


SLOW = """
import asyncio
from pathlib import Path
from mcp_targets.business_tools.tools.tool import Tool

VERSION = "1.0"


async def run(arguments, context):
    Path(__file__).with_name("begun").touch()
    await asyncio.sleep(0.5)
    return {"provider": "plugin", "operation": "slow", "cached": False, "result": {}}


TOOLS = [Tool("slow", "Take half a second.", {"type": "object"}, run)]
"""


@pytest.fixture
def server(tmp_path, made, monkeypatch):
    """Start the manifests' server with the page's settings; return it and its secrets.

    Its stores and the one provider that is called do not answer.
    """
    monkeypatch.setenv("BUSINESS_TOOLS_KEY", box := made("box"))
    key, known = re.findall(r": +(\S+)", made("key"))
    text = manifest("Secret", "business-tools")["stringData"]["settings.yaml"]
    text = re.sub(r"CHANGE@\w+:\d+", "canary@127.0.0.1:9", text).replace("10.0.0.0", "127.0.0.0")
    text = text.replace("enc:CHANGE", made("encrypt", "xoxb-canary\n"))
    (tmp_path / "settings.yaml").write_text(text.replace("shop/1: CHANGE", f"shop/1: {known}"))
    (tmp_path / "providers").mkdir()
    (tmp_path / "providers" / "slack.yaml").write_text(GONE)
    certificate(tmp_path)
    arguments = SERVER["containers"][0]["args"]
    assert arguments[:3] == ["python", "-m", "mcp_targets.business_tools"]
    flags = [re.sub("=/(etc|dev)/([a-z-]+/)?", f"={tmp_path}/", one) for one in arguments[3:]]
    flags = [*(one for one in flags if one != "--port=8000"), f"--providers={tmp_path}/providers"]
    (tmp_path / "plugin.py").write_text(SLOW)
    flags.append(f"--plugins={tmp_path}")
    child = Child("server", "business_tools", flags, tmp_path / "ready.json", tmp_path / "log")
    yield child, key, (box, known, "canary")
    child.stop()


@pytest.mark.process
def test_the_server_of_the_manifests_serves_who_has_a_key_by_tls(server, tmp_path):
    """It answers to any name, and no log, report or error shows a secret.

    On a stop signal, calls in progress finish first.
    """
    child, key, secrets = server
    url = f"https://127.0.0.1:{child.port()}"
    (container,) = SERVER["containers"]
    trusted = ssl.create_default_context(cafile=tmp_path / "tls.crt")
    said = []
    with httpx.Client(base_url=url, verify=trusted, headers={"host": "tools.example"}) as client:
        client.event_hooks["response"] = [lambda reply: said.append(reply.read().decode())]
        assert client.get("/tools").status_code == 401
        client.headers["x-api-key"] = key
        assert set(TOOLS) <= set(client.get("/tools").json()["tools"])
        assert client.get(container["livenessProbe"]["httpGet"]["path"]).status_code == 200
        probes = {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness")}
        assert probes <= set(client.get("/openapi.json").json()["paths"])
        assert client.post("/mcp", json={}).status_code == 400  # not 403 or 421
        client.post("/tools/web_search", json={"query": 1, "api_key": "canary"})
        client.get("/statistics")
        failed = client.post("/tools/slack_send_message", json={}).json()["error"]
    assert failed["code"] == "SLACK_UNAVAILABLE"
    with pytest.raises(httpx.TransportError):
        httpx.get(url.replace("https", "http"))
    with pytest.raises(httpx.ConnectError, match="certificate"):
        httpx.get(url)
    ask = functools.partial(httpx.post, f"{url}/tools/slow", json={}, verify=trusted, timeout=60)
    with ThreadPoolExecutor(1) as other:
        last = other.submit(ask, headers={"x-api-key": key})
        until((tmp_path / "begun").exists)
        os.kill(child.pid, signal.SIGTERM)
        assert last.result().status_code == 200
    until(child.dead)
    log, audit = ((tmp_path / name).read_text() for name in ("log", "stdout"))
    logged = [json.loads(line) for line in log.splitlines()]
    assert [one["code"] for one in logged] == ["INVALID_ARGUMENTS", failed["code"]]
    assert logged[1]["request_id"] == failed["details"]["request_id"]
    assert [json.loads(line)["event"] for line in audit.splitlines()].count("login_failed") == 1
    told = "\n".join([log, audit, *said])
    assert [secret for secret in (key, *secrets) if secret in told] == []


def test_commands_of_the_page_name_what_there_is():
    """The commands name existing files, and objects that the manifests create."""
    for path in re.findall(r"deploy/\S+", COMMANDS):
        assert (ROOT / path).exists(), path
    for kind, name in re.findall(r"(deployment|statefulset)/(\S+)", COMMANDS):
        assert manifest(kind.title(), name)
    assert "exec mongo-0" in COMMANDS
    assert manifest("StatefulSet", "mongo")["metadata"]["namespace"] == "business-tools"
    assert f"secret tls {SERVER['volumes'][1]['secret']['secretName']} " in COMMANDS
