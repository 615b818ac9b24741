#!/usr/bin/env bash
# The step of a CI job: starts the server, waits until it listens, and ends with the run's exit code.
#
#   bash examples/gate.sh PORT
set -euo pipefail
cd "$(dirname "$0")"
port=$1

python server.py --port "$port" > server.log 2>&1 &
server=$!
trap 'kill "$server"; wait "$server" || true' EXIT
timeout 60 bash -c "until (: > /dev/tcp/127.0.0.1/$port) 2> /dev/null; do sleep 0.2; done"

mcp-perf run gate.yaml --ci --target "mcp=http://127.0.0.1:$port/mcp"
