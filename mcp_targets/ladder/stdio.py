"""Serve over standard input and output: `python …/mcp_targets/systems/ladder/stdio.py`.

It is started by its path: a stdio server gets no PYTHONPATH of ours, and runs in any folder.
"""

import sys
from pathlib import Path


def main() -> None:
    """Serve until standard input ends."""
    # Python put this file's own folder there, where nothing is to be imported from.
    sys.path[0] = str(Path(__file__).parents[2])
    from mcp_targets.ladder.server import server  # noqa: PLC0415 -- found only now

    server.run()


if __name__ == "__main__":
    main()
