"""A backend that the harness has never seen: standard library only, prints no marks unless asked to.

``DELAY`` seconds until it is ready, ``WORK`` seconds an answer to /work takes, ``MARKS=1`` prints marks, ``FAULT`` is
``exit`` (ends with code 3 before it listens) or ``never`` (never becomes ready). ``/die`` ends the process with code 7,
``/child`` starts a child process that outlives its parent.
"""

import json
import os
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STARTED = time.monotonic()
DELAY = float(os.environ.get("DELAY", "0"))
FAULT = os.environ.get("FAULT", "")


def mark(name: str) -> None:
    if os.environ.get("MARKS"):
        print(json.dumps({"mark": name, "monotonic_ns": time.monotonic_ns()}), flush=True)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave in one packet: two cost 40 ms (Nagle meets delayed acknowledgement)

    def do_GET(self) -> None:
        status, body = self.answer()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self) -> tuple[int, bytes]:
        match self.path:
            case "/live":
                return 200, b"live"
            case "/ready":
                ready = FAULT != "never" and time.monotonic() - STARTED >= DELAY
                return (200, b"ready") if ready else (503, b"not yet")
            case "/work":
                time.sleep(float(os.environ.get("WORK", "0")))
                return 200, b"done"
            case "/environment":
                return 200, json.dumps(dict(os.environ)).encode()
            case "/die":
                print("about to die", flush=True)
                os._exit(7)
            case "/child":
                child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
                return 200, str(child.pid).encode()
            case _:
                return 404, b"no such thing"

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    mark("exec")
    if FAULT == "exit":
        print("cannot go on: no configuration", flush=True)
        sys.exit(3)
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    server.daemon_threads = True
    mark("listening")
    server.serve_forever()
