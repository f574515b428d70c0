"""A static web server for one folder: `make serve`, and the browser tests.

Any other static server does as well; this one needs nothing but Python, and knows the MIME types
that browsers insist on (they refuse a module script or streamed WebAssembly of another type).
"""

import errno
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from teacher.errors import UserError

_TRIES = 20
_TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
    ".json": "application/json",
    ".gz": "application/gzip",  # and no Content-Encoding: the page unpacks it, and shows progress
    ".html": "text/html; charset=utf-8",
}


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    extensions_map = SimpleHTTPRequestHandler.extensions_map | _TYPES

    def end_headers(self) -> None:
        """Let the browser keep files but ask each time: a scene exported again shows at once."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing about each of a hundred files."""


def open_server(folder: Path, port: int, host: str = "127.0.0.1") -> ThreadingHTTPServer:
    """A server for `folder` on `port`, or on the first free one after it; 0 takes any.

    Raises:
        UserError: there is no page in `folder`, or no port is free.
    """
    if not (folder / "index.html").is_file():
        remedy = "write the site with `python -m export site` (or `make web`)"
        raise UserError("--folder", f"{folder}, without index.html", "a static site", remedy)
    handler = partial(_Handler, directory=str(folder))
    candidates = range(port, min(port + _TRIES, 2**16))
    for candidate in candidates:
        try:
            return ThreadingHTTPServer((host, candidate), handler)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    remedy = f"give another one: the next {len(candidates)} are taken as well"
    raise UserError("--port", f"{port}", "a free port below 65536", remedy)


def serve(folder: Path, port: int, host: str = "127.0.0.1") -> None:
    """Serve `folder` until Ctrl-C, and print where."""
    with open_server(folder, port, host) as server:
        if server.server_port != port:
            print(f"port {port} is taken")
        print(f"serving {folder} at http://{host}:{server.server_port}/ (Ctrl-C ends)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
