"""Other ledger files of the same stage, read-only: the number of shards may change, and nothing is paid twice."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from parley.llm import store
from parley.llm.call import Reply


class Siblings:
    """All `*.sqlite` files below `root` except `own`, as they are when first asked."""

    def __init__(self, root: Path, own: Path, timeout: float) -> None:
        self._root = root
        self._own = own.absolute()
        self._timeout = timeout
        self._homes: dict[str, Path] | None = None

    def get(self, key: str) -> tuple[Reply, str] | None:
        """A stored reply and the JSON of its model's identity, or None."""
        if self._homes is None:
            self._homes = self._survey()
        if (home := self._homes.get(key)) is None:
            return None
        try:
            with closing(open_read_only(home, self._timeout)) as connection:
                row = connection.execute(f"SELECT model, {store.REPLY} FROM calls WHERE key = ?", (key,)).fetchone()
                return store.reply_of(row[1:]), store.identity_json(row[0], store.Blocks(connection).get)
        except (sqlite3.Error, TypeError) as error:
            self._skipped(home, error)
            return None

    def _survey(self) -> dict[str, Path]:
        homes: dict[str, Path] = {}
        for path in sorted(self._root.rglob("*.sqlite")):
            if path.absolute() != self._own:
                try:
                    with closing(open_read_only(path, self._timeout)) as connection:
                        homes.update((key, path) for (key,) in connection.execute("SELECT key FROM calls"))
                except sqlite3.Error as error:
                    self._skipped(path, error)
        return homes

    @staticmethod
    def _skipped(path: Path, error: Exception) -> None:
        print(f"ledger {path}: cannot be read ({error}); its calls are not reused", file=sys.stderr, flush=True)


def open_read_only(path: Path, timeout: float) -> sqlite3.Connection:
    """A connection for reading. The journal of a killed job is rolled back: that needs the right to write."""
    look = "SELECT count(*) FROM sqlite_schema"
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=timeout)
    try:
        connection.execute(look).fetchone()
    except sqlite3.Error:
        connection.close()
        connection = sqlite3.connect(path, timeout=timeout)
        try:
            connection.execute(look).fetchone()
        except BaseException:
            connection.close()
            raise
    return connection
