"""The machine and the versions with which a run was made."""

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any


def environment() -> dict[str, Any]:
    """Describe where this process runs, for the journal."""
    return {
        "python": platform.python_version(),
        "locust": importlib.metadata.version("locust"),
        "mcp_perf": importlib.metadata.version("mcp-perf"),
        "gevent": importlib.metadata.version("gevent"),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "os": platform.platform(),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
