"""Serve a tool set over stdio: `python …/mcp_targets/stdio.py echo`.

It is started by its path: a stdio server gets no PYTHONPATH of ours, and runs in any folder.
"""

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    # Python put this file's own folder there, where nothing is to be imported from.
    sys.path[0] = str(Path(__file__).parents[1])
    importlib.import_module(f"mcp_targets.{sys.argv.pop(1)}.stdio").main()
