"""The playhouse's batch counter: the files and batches of the OpenAI protocol, kept in memory.

A batch takes `Pace.delay` seconds: its lines are answered one after the other in that time, as far as anybody looks.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from parley.canonical import digest, seed_from

ENDPOINT = "/v1/chat/completions"
MOST_LINES, MOST_BYTES = 50_000, 200_000_000  # as at OpenAI
ENDED = ("completed", "expired", "failed", "cancelled")

#: The answer to the body of a chat request: HTTP status and JSON.
Answer = Callable[[Any], tuple[int, dict[str, Any]]]


@dataclass(frozen=True)
class Pace:
    """How long a batch takes, and what goes wrong. Which line fails is decided by its `custom_id` alone."""

    delay: float = 0.0  # seconds from a batch's creation to its end
    failing: float = 0.0  # share of lines that end in an HTTP 500
    expiring: float | None = None  # a batch expires when this share of its lines has been answered
    room: int | None = None  # most lines in unfinished batches; one batch more fails its validation


@dataclass
class Batch:
    """One batch: its lines, how many of them are through, and in which state it is."""

    id: str
    created: float
    request: dict[str, Any]
    lines: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    status: str = "in_progress"
    ended: float | None = None
    good: list[dict[str, Any]] = field(default_factory=list)
    bad: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)  # output_file_id, error_file_id

    @property
    def done(self) -> int:
        """Lines that are through."""
        return len(self.good) + len(self.bad)

    def as_json(self) -> dict[str, Any]:
        """The batch as the protocol shows it."""
        return {
            **{"id": self.id, "object": "batch", "endpoint": ENDPOINT, "status": self.status},
            **{"input_file_id": self.request["input_file_id"], "completion_window": self.request["completion_window"]},
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            **{name: self.files.get(name) for name in ("output_file_id", "error_file_id")},
            "created_at": int(self.created),
            "expires_at": int(self.created) + 24 * 3600,
            **({f"{self.status}_at": int(self.ended)} if self.ended is not None else {}),
            "request_counts": {"total": len(self.lines), "completed": len(self.good), "failed": len(self.bad)},
            "metadata": self.request.get("metadata"),
        }


class Counter:
    """The files and batches of one server. `answer` answers a line as the chat endpoint would."""

    def __init__(self, answer: Answer, pace: Pace = Pace(), clock: Callable[[], float] = time.time) -> None:
        self.pace = pace
        self.files: dict[str, tuple[str, str, bytes]] = {}  # id: name, purpose, content
        self.batches: dict[str, Batch] = {}
        self._answer = answer
        self._clock = clock

    def attach(self, app: web.Application) -> web.Application:
        """Add the routes to a server."""
        app.router.add_post("/v1/files", self._upload)
        app.router.add_get("/v1/files/{file}", self._describe)
        app.router.add_get("/v1/files/{file}/content", self._content)
        app.router.add_post("/v1/batches", self._create)
        app.router.add_get("/v1/batches", self._list)
        app.router.add_get("/v1/batches/{batch}", self._retrieve)
        app.router.add_post("/v1/batches/{batch}/cancel", self._cancel)
        return app

    # -- files -------------------------------------------------------------------------------------------------

    def _keep(self, name: str, purpose: str, content: bytes) -> str:
        file = f"file-{len(self.files) + 1}-{digest([name, len(self.files)], 12)}"
        self.files[file] = (name, purpose, content)
        return file

    def _file_json(self, file: str) -> dict[str, Any]:
        name, purpose, content = self.files[file]
        facts = {"id": file, "object": "file", "filename": name, "purpose": purpose, "bytes": len(content)}
        return {**facts, "created_at": int(self._clock()), "status": "processed"}

    async def _upload(self, request: web.Request) -> web.Response:
        purpose, content, name = "", None, "batch.jsonl"
        if not request.content_type.startswith("multipart/"):
            return _fault(400, "a file is uploaded as multipart/form-data")
        async for part in await request.multipart():
            if getattr(part, "name", None) == "purpose":
                purpose = await part.text()  # type: ignore[union-attr]
            elif getattr(part, "name", None) == "file":
                name = getattr(part, "filename", None) or name
                content = bytearray()
                while chunk := await part.read_chunk(2**16):  # type: ignore[union-attr]
                    content += chunk
                    if len(content) > MOST_BYTES:
                        return _fault(413, f"a file has at most {MOST_BYTES} bytes")
        if purpose != "batch" or content is None:
            return _fault(400, "a `file` with the `purpose` batch is wanted")
        return web.json_response(self._file_json(self._keep(name, purpose, bytes(content))))

    async def _describe(self, request: web.Request) -> web.Response:
        if (file := request.match_info["file"]) not in self.files:
            return _fault(404, f"No such File object: {file}")
        return web.json_response(self._file_json(file))

    async def _content(self, request: web.Request) -> web.Response:
        if (file := request.match_info["file"]) not in self.files:
            return _fault(404, f"No such File object: {file}")
        return web.Response(body=self.files[file][2], content_type="application/octet-stream")

    # -- batches -----------------------------------------------------------------------------------------------

    async def _create(self, request: web.Request) -> web.Response:
        try:
            body = await request.json()
            file, endpoint, window = body["input_file_id"], body["endpoint"], body["completion_window"]
        except (ValueError, KeyError, TypeError):
            return _fault(400, "input_file_id, endpoint and completion_window are wanted")
        if endpoint != ENDPOINT or window != "24h":
            return _fault(400, f"the endpoint is {ENDPOINT}, the completion_window 24h")
        if file not in self.files:
            return _fault(400, f"No such File object: {file}")
        number = len(self.batches) + 1
        batch = Batch(f"batch-{number}-{digest([file, number], 12)}", self._clock(), body)
        batch.lines, batch.errors = _read(self.files[file][2])
        waiting = sum(len(other.lines) - other.done for other in self._current() if other.status not in ENDED)
        if self.pace.room is not None and waiting + len(batch.lines) > self.pace.room:
            batch.errors.append(_error("token_limit_exceeded", f"Enqueued limit reached: {self.pace.room}"))
        if batch.errors:
            batch.status, batch.ended = "failed", self._clock()
        self.batches[batch.id] = batch
        return web.json_response({**batch.as_json(), "status": "validating", "errors": None})

    async def _retrieve(self, request: web.Request) -> web.Response:
        if (batch := self.batches.get(request.match_info["batch"])) is None:
            return _fault(404, f"No batch found with id '{request.match_info['batch']}'.")
        self._advance(batch)
        return web.json_response(batch.as_json())

    async def _list(self, request: web.Request) -> web.Response:
        newest, after = list(reversed(self._current())), request.query.get("after")
        start = next((place + 1 for place, batch in enumerate(newest) if batch.id == after), 0)
        limit = min(100, int(request.query.get("limit", "20")))
        page = newest[start : start + limit]
        data = [batch.as_json() for batch in page]
        ends = {"first_id": page[0].id, "last_id": page[-1].id} if page else {}
        return web.json_response({"object": "list", "data": data, "has_more": len(newest) > start + limit, **ends})

    async def _cancel(self, request: web.Request) -> web.Response:
        if (batch := self.batches.get(request.match_info["batch"])) is None:
            return _fault(404, f"No batch found with id '{request.match_info['batch']}'.")
        self._advance(batch)
        if batch.status in ENDED:
            return _fault(409, f"Cannot cancel a batch with status '{batch.status}'.")
        self._end(batch, "cancelled")
        return web.json_response({**batch.as_json(), "status": "cancelling"})

    def _current(self) -> list[Batch]:
        """All batches, oldest first, as they are now."""
        for batch in self.batches.values():
            self._advance(batch)
        return list(self.batches.values())

    # -- the work ----------------------------------------------------------------------------------------------

    def _advance(self, batch: Batch) -> None:
        """Answer the lines whose time has come; end the batch with the last."""
        if batch.status in ENDED:
            return
        share = 1.0 if self.pace.delay <= 0 else min(1.0, (self._clock() - batch.created) / self.pace.delay)
        last = 1.0 if self.pace.expiring is None else self.pace.expiring
        for line in batch.lines[batch.done : int(min(share, last) * len(batch.lines))]:
            self._take(batch, line)
        if share >= 1.0:
            self._end(batch, "completed" if self.pace.expiring is None else "expired")

    def _take(self, batch: Batch, line: dict[str, Any]) -> None:
        key = line["custom_id"]
        if seed_from("failing", key) / 0x80000000 < self.pace.failing:
            status, body = 500, {"error": {"message": "The server had an error", "type": "server_error"}}
        else:
            status, body = self._answer(line["body"])
        response = {"status_code": status, "request_id": f"req-{digest(key, 12)}", "body": body}
        outcome = {"id": f"batch_req-{digest(key, 12)}", "custom_id": key, "response": response, "error": None}
        (batch.good if status == 200 else batch.bad).append(outcome)

    def _end(self, batch: Batch, status: str) -> None:
        batch.status, batch.ended = status, self._clock()
        unanswered = [
            {
                **{"id": f"batch_req-{digest(line['custom_id'], 12)}", "custom_id": line["custom_id"]},
                **{"response": None, "error": _error(f"batch_{status}", f"The batch has {status}.")},
            }
            for line in batch.lines[batch.done :]
        ]
        # The protocol does not promise the order of the input.
        for name, lines in (("output_file_id", batch.good[::-1]), ("error_file_id", [*batch.bad, *unanswered])):
            if lines:
                text = "".join(json.dumps(line) + "\n" for line in lines)
                batch.files[name] = self._keep(f"{batch.id}_{name}.jsonl", "batch_output", text.encode())


def _read(content: bytes) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The lines of a request file, and what is wrong with it."""
    lines: list[dict[str, Any]] = []
    for number, text in enumerate(content.decode("utf-8", "replace").removesuffix("\n").split("\n"), start=1):
        try:
            line = json.loads(text)
            known = (line["custom_id"], line["method"], line["url"], line["body"]["model"])
        except (ValueError, KeyError, TypeError):
            return [], [_error("invalid_json_line", "This line is not parseable as a request.", number)]
        if known[1:3] != ("POST", ENDPOINT):
            return [], [_error("url_mismatch", f"Every line is a POST to {ENDPOINT}.", number)]
        if lines and known[3] != lines[0]["body"]["model"]:
            return [], [_error("model_mismatch", "All lines ask one model.", number)]
        lines.append(line)
    if len({line["custom_id"] for line in lines}) != len(lines):
        return [], [_error("duplicate_custom_id", "A custom_id is given twice.")]
    if len(lines) > MOST_LINES:
        return [], [_error("too_many_tasks", f"A batch has at most {MOST_LINES} requests.")]
    return lines, []


def _error(code: str, message: str, line: int | None = None) -> dict[str, Any]:
    return {"code": code, "message": message, "line": line, "param": None}


def _fault(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "type": "invalid_request_error"}}, status=status)
