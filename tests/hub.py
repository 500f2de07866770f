"""A stand-in for the hub on a loopback port: it answers for the files of one folder as the real one does."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


class Hub:
    """What the stand-in serves, and what it was asked for."""

    def __init__(self, repository: str, commit: str, folder: Path, below: str) -> None:
        self.prefix = f"/{repository}/resolve/{commit}/{below}"
        self.commit = commit
        self.folder = folder
        self.asked: list[str] = []
        self.address = ""


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server on loopback that answers by `handler`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def standing(hub: Hub) -> Iterator[Hub]:
    """Serve until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            hub.asked.append(f"{self.command} {path}")
            name = path.removeprefix(hub.prefix)
            if name == path or not (hub.folder / name).is_file():
                self.send_response(404)
                self.send_header("X-Error-Code", "EntryNotFound" if path.startswith(hub.prefix) else "RepoNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            content = (hub.folder / name).read_bytes()
            self.send_response(200)
            self.send_header("X-Repo-Commit", hub.commit)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as address:
        hub.address = address
        yield hub
