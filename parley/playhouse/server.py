"""The playhouse's server: the scripted speakers behind the OpenAI chat protocol, on loopback."""

import time
from collections.abc import Callable
from random import Random
from typing import Any

from aiohttp import web

from parley.canonical import digest, seed_from
from parley.playhouse.annotator import annotate
from parley.playhouse.expert import act_as_expert
from parley.playhouse.judge import rate
from parley.playhouse.partner import act_as_partner
from parley.playhouse.reading import NotUnderstood, read_scene
from parley.playhouse.wanderer import act_as_wanderer
from parley.playhouse.watcher import asks_about_harm, judge
from parley.playhouse.writer import write_task

Speaker = Callable[[str, Random], str]

SPEAKERS: dict[str, Speaker] = {
    "writer": write_task,
    "expert": lambda prompt, rng: act_as_expert(read_scene(prompt), rng),
    "partner": lambda prompt, rng: act_as_partner(read_scene(prompt), rng),
    "wanderer": lambda prompt, rng: act_as_wanderer(read_scene(prompt), rng),
    "judge": lambda prompt, rng: judge(prompt, rng) if asks_about_harm(prompt) else rate(prompt, rng),
    "annotator": annotate,
}


def speak(model: str, messages: list[dict[str, str]], seed: int | None) -> str:
    """What `model` answers: a function of the first user message and the seed alone.

    Raises KeyError for an unknown speaker, `NotUnderstood` for a prompt that is not meant for it.
    """
    prompt = next((message["content"] for message in messages if message["role"] == "user"), "")
    return SPEAKERS[model](prompt, Random(seed_from(model, prompt, seed)))


def _count(text: str) -> int:
    """Tokens as a rule of thumb: four characters each."""
    return max(1, len(text) // 4)


def _fault(status: int, message: str, kind: str) -> tuple[int, dict[str, Any]]:
    return status, {"error": {"message": message, "type": kind}}


def _asked(body: Any) -> tuple[str, list[dict[str, str]], int | None]:
    """Model, messages and seed of a request's body. Raises KeyError or TypeError if it is no chat request."""
    model, messages, seed = body["model"], body["messages"], body.get("seed")
    texts = [text for message in messages for text in (message["role"], message["content"])]
    if not all(isinstance(text, str) for text in (model, *texts)) or not isinstance(seed, int | None):
        raise TypeError("model, roles and contents are text, a seed is a whole number")
    return model, messages, seed


def complete(body: Any) -> tuple[int, dict[str, Any]]:
    """HTTP status and JSON that answer the body of a chat request."""
    try:
        model, messages, seed = _asked(body)
    except (ValueError, KeyError, TypeError):
        return _fault(400, "the body is not a chat completion request", "invalid_request_error")
    if model not in SPEAKERS:
        return _fault(404, f"no speaker is called {model!r}; there are {', '.join(SPEAKERS)}", "not_found_error")
    try:
        text = speak(model, messages, seed)
    except NotUnderstood as reason:
        return _fault(400, f"{model}: {reason}", "invalid_request_error")
    prompt_tokens = sum(_count(message["content"]) for message in messages)
    completion_tokens = _count(text)
    return 200, {
        "id": f"chatcmpl-{digest([model, messages, seed], 16)}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "stop",
                "logprobs": None,
            }
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }


async def _chat(request: web.Request) -> web.Response:
    try:
        body = await request.json()
    except ValueError:
        body = None
    status, answer = complete(body)
    return web.json_response(answer, status=status)


async def _models(_: web.Request) -> web.Response:
    return web.json_response({"object": "list", "data": [{"id": name, "object": "model"} for name in SPEAKERS]})


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


def application() -> web.Application:
    """The server's routes."""
    app = web.Application(client_max_size=16 * 2**20)
    app.router.add_post("/v1/chat/completions", _chat)
    app.router.add_get("/v1/models", _models)
    app.router.add_get("/health", _health)
    return app
