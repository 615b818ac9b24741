"""Serve a tool set over stdio: `python …/mcp_targets/stdio.py echo`.

It is started by its path, because a stdio server runs in any folder, without our PYTHONPATH.
"""

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    # Python put this file's folder there, from which nothing should be imported.
    sys.path[0] = str(Path(__file__).parents[1])
    importlib.import_module(f"mcp_targets.{sys.argv.pop(1)}.stdio").main()
