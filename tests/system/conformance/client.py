"""The command that the conformance suite runs for every scenario: `python client.py URL`.

The suite's contract: the scenario's name, the protocol version and all other settings come in
environment variables, the address is the last argument, and an exit code other than 0 is a failure.
The client itself runs in the process of the tests, which has already imported it: a hundred
processes that import it first would take a minute.
"""

import json
import os
import socket
import sys

with socket.socket(socket.AF_UNIX) as player:
    player.connect(os.environ["MCP_PERF_PLAYER"])
    player.sendall(json.dumps([sys.argv[-1], dict(os.environ)]).encode() + b"\n")
    player.shutdown(socket.SHUT_WR)
    said = b"".join(iter(lambda: player.recv(65536), b"")).decode()
sys.exit(said or None)
