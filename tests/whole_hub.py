"""A stand-in for the hub that takes pushes and gives pulls: repositories in memory, on a loopback port.

It speaks the hub's own protocol as far as the `huggingface_hub` client uses it for small files, so that the tests run the
real client.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.hub import serving

TOKEN = "hf_" + "s" * 34


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest()


@dataclass
class Repo:
    """A repository: its files now, and the files of every commit."""

    private: bool
    files: dict[str, bytes] = field(default_factory=lambda: {".gitattributes": b"*.bin\n"})
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    @property
    def head(self) -> str:
        return list(self.commits)[-1]

    def commit(self, message: str) -> str:
        self.messages.append(message)
        oid = hashlib.sha1(repr((len(self.commits), sorted(self.files.items()))).encode()).hexdigest()
        self.commits[oid] = dict(self.files)
        return oid


class WholeHub:
    """Repositories by `models/owner/name` or `datasets/owner/name`, and what was asked for."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.asked: list[str] = []
        self.address = ""
        self.refuse: int | None = None

    def add(self, key: str, files: dict[str, bytes]) -> str:
        """A repository with a commit of these files; the commit."""
        repo = self.repos.setdefault(key, Repo(False))
        repo.files.update(files)
        return repo.commit("add")


Answer = tuple[int, Any, dict[str, str]]


class _Hub:
    """The answers to requests."""

    def __init__(self, hub: WholeHub) -> None:
        self.hub = hub

    def answer(self, method: str, path: str, body: bytes, authorised: bool) -> Answer:
        if self.hub.refuse is not None:
            return self.hub.refuse, {"error": "refused"}, {}
        if method == "POST" and not authorised:
            return 401, {"error": "Invalid credentials"}, {}
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}, {}
        if match := re.fullmatch(
            r"/api/((?:models|datasets)/[^/]+/[^/]+)/(preupload|commit|revision|tree)/([^/]+)/?", path
        ):
            return self._repo(*match.groups(), body=body)
        if match := re.fullmatch(r"/api/((?:models|datasets)/[^/]+/[^/]+)", path):
            return self._repo(match[1], "revision", "main", body=body)
        if match := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self._file(f"{match[1] or 'models/'}{match[2]}", match[3], match[4])
        return 404, {"error": f"not here: {path}"}, {}

    def _create(self, asked: dict[str, Any]) -> Answer:
        key = f"{asked.get('type', 'model')}s/{asked['organization']}/{asked['name']}"
        if key in self.hub.repos:
            return 409, {"error": "You already created this repo", "url": f"{self.hub.address}/{key}"}, {}
        repo = self.hub.repos[key] = Repo(asked.get("visibility") == "private")
        repo.commit("initial commit")
        return 200, {"url": f"{self.hub.address}/{key.removeprefix('models/')}"}, {}

    def _repo(self, key: str, what: str, revision: str, body: bytes) -> Answer:
        repo = self.hub.repos.get(key)
        if repo is None:
            return 404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"}
        files = repo.commits.get(repo.head if revision == "main" else revision)
        if files is None:
            return 404, {"error": "Revision not found"}, {"X-Error-Code": "RevisionNotFound"}
        if what == "revision":
            named = [{"rfilename": name} for name in sorted(files)]
            oid = repo.head if revision == "main" else revision
            identity = key.split("/", 1)[1]
            return 200, {"id": identity, "sha": oid, "private": repo.private, "siblings": named}, {}
        if what == "tree":
            return (
                200,
                [
                    {"type": "file", "path": name, "size": len(content), "oid": git_hash(content)}
                    for name, content in sorted(files.items())
                ],
                {},
            )
        if what == "preupload":
            return 200, {"files": [self._mode(repo, one["path"]) for one in json.loads(body)["files"]]}, {}
        return self._commit(key, repo, [json.loads(line) for line in body.splitlines()])

    @staticmethod
    def _mode(repo: Repo, path: str) -> dict[str, Any]:
        oid = git_hash(repo.files[path]) if path in repo.files else None
        return {"path": path, "uploadMode": "regular", "shouldIgnore": False, "oid": oid}

    def _commit(self, key: str, repo: Repo, lines: list[dict[str, Any]]) -> Answer:
        header = lines[0]["value"]
        if header.get("parentCommit") not in (None, repo.head):
            return 412, {"error": "A commit has happened since"}, {}
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                repo.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "deletedFile":
                del repo.files[value["path"]]
        oid = repo.commit(header["summary"])
        return 200, {"success": True, "commitOid": oid, "commitUrl": f"{self.hub.address}/{key}/commit/{oid}"}, {}

    def _file(self, key: str, revision: str, name: str) -> Answer:
        repo = self.hub.repos.get(key)
        files = None if repo is None else repo.commits.get(repo.head if revision == "main" else revision)
        if repo is None or files is None or name not in files:
            return 404, {}, {"X-Error-Code": "EntryNotFound"}
        oid = repo.head if revision == "main" else revision
        return 200, files[name], {"X-Repo-Commit": oid, "ETag": f'"{git_hash(files[name])}"'}


@contextmanager
def standing_whole(hub: WholeHub) -> Iterator[WholeHub]:
    """Serve until the end of the block."""
    inner = _Hub(hub)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.asked.append(f"{self.command} {path}")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            authorised = self.headers.get("Authorization") == f"Bearer {TOKEN}"
            status, content, headers = inner.answer(self.command, path, body, authorised)
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_HEAD = do_POST = _do  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as address:
        hub.address = address
        yield hub
