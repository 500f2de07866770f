"""Where speakers get their answers: an address, or an engine that is started when it is first needed."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from parley.config import Model
from parley.errors import ParleyError
from parley.llm.devices import VARIABLE, shares
from parley.llm.endpoint import Endpoint, api_key
from parley.llm.engine import Engine
from parley.llm.pulse import PATIENCE, Patience

#: An engine of ours that does not answer has ended: no use in waiting for it.
LOCAL_PATIENCE = Patience(first_wait=0.1, dead_after_tries=4, dead_after=0.1, dead_after_lapse=0.1)


class Source:
    """One endpoint for all models of one kind in a job, opened at the first call that must be sent.

    `others` are the job's sources so far: a key that one of them lacks is missed before anything is sent to any.
    """

    def __init__(self, cache: Path, logs: Path | None, others: Sequence["Source"] = ()) -> None:
        self._cache = cache
        self._logs = logs
        self._group: list[Source] = [*others, self]
        for other in others:
            other._group.append(self)
        self._models: list[Model] = []
        self._adapters: dict[str, Path] = {}
        self._engine: Engine | None = None
        self._endpoint: Endpoint | None = None
        self._broken: ParleyError | None = None
        self._starts: list[tuple[float, float]] = []
        self._opening = asyncio.Lock()

    @staticmethod
    def kind(model: Model) -> tuple[str | None, ...]:
        """Models of one kind share a source: an address with its key, a local checkpoint, or the playhouse."""
        if model.engine == "openai":
            return model.engine, model.base_url, model.api_key_env
        return (model.engine, model.name, model.path) if model.engine in ("llamacpp", "vllm") else (model.engine,)

    def add(self, model: Model, adapter: str | None, folder: Path | None) -> None:
        """Let this source answer for `model`, and for a policy's adapter on it."""
        self._models.append(model)
        if adapter is not None and folder is not None:
            self._adapters[adapter] = folder

    async def reach(self, model: Model, adapter: str | None) -> tuple[Endpoint, str, dict[str, Any]]:
        """(endpoint, model name there, extra fields of a request) for `model` with `adapter`; starts what it needs."""
        if self._endpoint is None:
            async with self._opening:
                await self._open_once()
        assert self._endpoint is not None
        if self._engine is None or model.engine == "playhouse":
            return self._endpoint, model.name, {}
        return self._endpoint, *self._engine.target(adapter)

    async def close(self) -> None:
        """Close the connections and stop the engine."""
        try:
            if self._endpoint is not None:
                await self._endpoint.close()
        finally:
            if self._engine is not None:
                self._starts = self._engine.starts
                await self._engine.stop()
            self._endpoint = self._engine = None

    @property
    def gpus(self) -> int:
        """How many GPUs the engine needs; 0 for what has none of its own."""
        return max((model.gpus for model in self._models if model.engine == "vllm"), default=0)

    @property
    def starts(self) -> list[tuple[float, float]]:
        """Begin and end of every start of its engine, as `time.monotonic` tells them."""
        return self._starts if self._engine is None else self._engine.starts

    def _devices(self) -> str | None:
        """The GPUs that are this engine's, where several engines of the job share what the job was given."""
        if not self.gpus:
            return None
        wanted = [source for source in self._group if source.gpus]
        return shares([source.gpus for source in wanted], os.environ.get(VARIABLE))[wanted.index(self)]

    async def _open_once(self) -> None:
        if self._broken is not None:
            raise self._broken  # every call waiting for the engine would else try to start it, one after the other
        try:
            self._endpoint = self._endpoint or await self._open()
        except ParleyError as error:
            self._broken = error
            raise

    async def _open(self) -> Endpoint:
        for source in self._group:
            for model in source._models:
                api_key(model)
        first = self._models[0]
        concurrency = max(model.concurrency for model in self._models)
        timeout = max(model.timeout for model in self._models)
        if first.engine == "openai":
            return Endpoint(
                first.base_url, key=api_key(first), concurrency=concurrency, timeout=timeout, patience=PATIENCE
            )
        log = self._logs / f"engine-{first.engine}-{first.name or 'model'}.log" if self._logs else None
        self._engine = Engine(first, self._adapters, cache=self._cache, log=log, devices=self._devices())
        await self._engine.__aenter__()
        return Endpoint(
            self._engine.base_url,
            concurrency=concurrency,
            timeout=timeout,
            patience=LOCAL_PATIENCE,
            remedy=f"the {first.engine} engine has ended or hangs; see {self._engine.log}",
            shape=self._engine.shape,
            local=True,
            revive=self._engine.revive,
        )
