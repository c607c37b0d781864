"""A small web server of a folder, on this machine: lists folders, gives parts of files, fails on request."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Server:
    """Its address, what it was asked, and how it fails: `busy` times with 503, `refuses` always with 403."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, str]] = []  # method, path
        self.busy = 0
        self.refuses = False
        self.parts = True


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, state: Server, *arguments, **more) -> None:
        self._state = state
        super().__init__(*arguments, **more)

    def log_message(self, *_) -> None: ...

    def send_head(self):
        state = self._state
        state.asked.append((self.command, self.path))
        if state.refuses or state.busy:
            state.busy = max(0, state.busy - 1)
            self.send_error(403 if state.refuses else 503)
            return None
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if span is None or not state.parts:
            return super().send_head()
        path = Path(self.translate_path(self.path))
        first, last = map(int, span.groups())
        self.send_response(206)
        self.send_header("Content-Length", str(last + 1 - first))
        self.send_header("Content-Range", f"bytes {first}-{last}/{path.stat().st_size}")
        self.end_headers()
        self.wfile.write(path.read_bytes()[first : last + 1])
        return None


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Serve a folder inside the block."""
    state = Server()
    handler = partial(_Handler, state, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
