"""Serves a site to this machine alone."""

import http.server
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

HOST = "127.0.0.1"
# Windows' registry may say otherwise, and browsers refuse modules of another type.
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
}
OTHER = "application/octet-stream"
HEADERS = {
    "Cache-Control": "no-store",  # another file may have its name tomorrow
    "X-Content-Type-Options": "nosniff",
    # A page that is isolated from others may use several threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class SiteServer(http.server.ThreadingHTTPServer):
    """Serves the files of a site and nothing else, on 127.0.0.1.

    Attributes:
        site: see `distilpose_keras.web.site`.
        address: of the page.
    """

    daemon_threads = True

    def __init__(self, site: Mapping[str, Path | bytes], port: int = 0) -> None:
        """Take a port.

        Args:
            site: addresses to files or bytes.
            port: 0 for any that is free.

        Raises:
            OSError: if the port is taken.
        """
        self.site = site
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise OSError(
                f"port {port} of {HOST} cannot be used ({error.strerror})"
            ) from None
        self.address = f"http://{HOST}:{self.server_address[1]}/"


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET and HEAD for the addresses of the site."""

    server: SiteServer
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # noqa: N802
        content = self._answer()
        if content is not None:
            self.wfile.write(content)

    def do_HEAD(self):  # noqa: N802
        self._answer()

    def log_message(self, *_):
        """Say nothing: what counts is on the page."""

    def _answer(self):
        """Send the status and headers; return the content, None if there is none."""
        address = unquote(urlsplit(self.path).path).lstrip("/") or "index.html"
        content = self.server.site.get(address)
        try:
            if isinstance(content, Path):
                content = content.read_bytes()
        except OSError:
            content = None
        if content is None:
            self.send_error(404)
            return None
        self.send_response(200)
        kind = TYPES.get(PurePosixPath(address).suffix, OTHER)
        for name, value in {"Content-Type": kind, **HEADERS}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return content
