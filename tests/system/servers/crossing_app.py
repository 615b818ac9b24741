"""A server that sometimes gives two concurrent callers each other's answer.

python crossing_app.py PORT
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

_EVERY = 20
_lock = threading.Lock()
_waiting: list[tuple[list[str], threading.Event]] = []
_count = 0


def crossed(message: str) -> str:
    """Return the message; in every twentieth pair of calls, the other one's."""
    global _count  # noqa: PLW0603 -- a counter of one small process
    with _lock:
        _count += 1
        due = _count % _EVERY < 2
        if not due:
            return message
        if _waiting:
            box, ready = _waiting.pop()
            other, box[0] = box[0], message
            ready.set()
            return other
        box, ready = [message], threading.Event()
        _waiting.append((box, ready))
    if not ready.wait(0.2):
        with _lock:
            if (box, ready) in _waiting:
                _waiting.remove((box, ready))
    return box[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        [message] = parse_qs(urlsplit(self.path).query).get("message", [""])
        body = json.dumps({"message": crossed(message)}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Handler).serve_forever()
