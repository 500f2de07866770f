"""Storage for Snakemake as strict as a bucket, in a folder: a job has nothing of it but what it named as input.

Snakemake finds it when `tests/cellar` is on the path. `cellar://NAME/…` is the file `…` in the folder that the
environment's CELLAR names. What is fetched is logged there in `fetched.log`.
"""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snakemake_interface_storage_plugins.io import IOCacheStorageInterface
from snakemake_interface_storage_plugins.settings import StorageProviderSettingsBase
from snakemake_interface_storage_plugins.storage_object import StorageObjectRead, StorageObjectWrite
from snakemake_interface_storage_plugins.storage_provider import (
    ExampleQuery,
    QueryType,
    StorageProviderBase,
    StorageQueryValidationResult,
)

SCHEME = "cellar://"


@dataclass
class StorageProviderSettings(StorageProviderSettingsBase):
    """There are none."""


class StorageProvider(StorageProviderBase):
    """Files and folders below one folder."""

    @classmethod
    def example_queries(cls) -> list[ExampleQuery]:
        return [ExampleQuery(query=f"{SCHEME}wine/red.txt", type=QueryType.ANY, description="a file")]

    def rate_limiter_key(self, query: str, operation: Any) -> str:
        return "cellar"

    def default_max_requests_per_second(self) -> float:
        return 1000.0

    def use_rate_limiter(self) -> bool:
        return False

    @classmethod
    def is_valid_query(cls, query: str) -> StorageQueryValidationResult:
        return StorageQueryValidationResult(query=query, valid=query.startswith(SCHEME), reason="not a cellar")


class StorageObject(StorageObjectRead, StorageObjectWrite):
    """A file or a folder in storage."""

    @property
    def place(self) -> Path:
        return Path(os.environ["CELLAR"]) / self.local_suffix()

    def local_suffix(self) -> str:
        return self.query.removeprefix(SCHEME)

    async def inventory(self, cache: IOCacheStorageInterface) -> None:
        """Nothing is known beforehand."""

    def get_inventory_parent(self) -> str | None:
        return None

    def cleanup(self) -> None:
        """Nothing is left over."""

    def exists(self) -> bool:
        return self.place.exists()

    def mtime(self) -> float:
        return max(path.stat().st_mtime for path in self._files())

    def size(self) -> int:
        return sum(path.stat().st_size for path in self._files())

    def retrieve_object(self) -> None:
        with Path(os.environ["CELLAR"], "fetched.log").open("a", encoding="utf-8") as log:
            log.write(self.local_suffix() + "\n")
        _copy(self.place, self.local_path())

    def store_object(self) -> None:
        _copy(self.local_path(), self.place)

    def remove(self) -> None:
        shutil.rmtree(self.place) if self.place.is_dir() else self.place.unlink()

    def _files(self) -> Iterable[Path]:
        inside = [path for path in self.place.rglob("*") if path.is_file()]
        return inside or [self.place]


def _copy(source: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, to, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, to)
