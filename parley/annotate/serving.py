"""Serving the app: a port of this machine, one server for a study at a time."""

import fcntl
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from parley.errors import ParleyError


@contextmanager
def only_server(study: Path) -> Iterator[None]:
    """Hold a study for the length of the block. Raises `ParleyError` if another server has it."""
    lock = study.with_name(f".{study.name}.serving")
    lock.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ParleyError(f"{study}: served by another process already; stop it first") from None
        yield
    finally:
        os.close(handle)


def listen(host: str, port: int) -> socket.socket:
    """A socket to serve on; port 0 takes a free one. Raises `ParleyError` if it is taken or not allowed."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(128)
    except OSError as error:
        found.close()
        raise ParleyError(f"cannot listen on {host}:{port} ({error.strerror}); give another --host or --port") from None
    return found


def server_of(app: FastAPI, proxy: str | None = None) -> uvicorn.Server:
    """A server for the app. `proxy` is the address of a proxy whose word on a visitor's address is taken."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=proxy is not None,
        forwarded_allow_ips=proxy,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
        lifespan="off",
    )
    return uvicorn.Server(config)


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Serve the app on a free port of loopback for the length of the block; the address."""
    with listen("127.0.0.1", 0) as place:
        server = server_of(app)
        thread = threading.Thread(target=server.run, args=([place],), daemon=True)
        thread.start()
        while not server.started:
            if not thread.is_alive():
                raise ParleyError("the app did not start")
            time.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{place.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
