"""Records and their JSONL files: one record a line, read with faults named by file and line, written atomically."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from parley.errors import ParleyError
from parley.records.published import published

#: What is said of a file that is not all that was written.
CUT_OFF = "not whole (cut off by a power loss or a full disk?); delete it and run the same command again"


class Record(BaseModel):
    """One line of a JSONL file. Frozen; an unknown key is an error, never dropped."""

    model_config = ConfigDict(frozen=True, extra="forbid")


AnyRecord = TypeVar("AnyRecord", bound=Record)


def fault(error: ValidationError) -> str:
    """The first fault of a pydantic error, as `path: what is wrong`."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the whole"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"


def iterate_jsonl(path: str | Path, kind: type[AnyRecord]) -> Iterator[tuple[int, AnyRecord]]:
    """Yield (line number from 1, record) for each line that is not empty.

    Raises `ParleyError` naming the file, the line and the remedy for a missing file, an empty one, a broken line or a
    wrong field.
    """
    path = Path(path)
    try:
        # Not splitlines(): a string may hold U+2028 and its like, which end no line of JSONL.
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise ParleyError(f"{path}: no such file; build it, or correct the path in the config") from None
    except UnicodeDecodeError as error:
        raise ParleyError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8") from None
    if lines == [""]:
        raise ParleyError(f"{path}: {CUT_OFF}")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield number, kind.model_validate(json.loads(line))
        except json.JSONDecodeError as error:
            if "\0" in line:  # what some file systems fill up a file with that they could not keep
                raise ParleyError(f"{path}:{number}: {CUT_OFF}") from None
            raise ParleyError(
                f"{path}:{number}: not JSON ({error.msg} at column {error.colno}); mend or delete the line"
            ) from None
        except ValidationError as error:
            name = kind.__name__.lower()
            article = "an" if name[0] in "aeiou" else "a"
            raise ParleyError(
                f"{path}:{number}: not {article} {name} ({fault(error)}); mend or delete the line"
            ) from None


def read_jsonl(path: str | Path, kind: type[AnyRecord]) -> list[AnyRecord]:
    """All records of a file, in order. Raises as `iterate_jsonl`."""
    return [record for _, record in iterate_jsonl(path, kind)]


def read_json(path: str | Path) -> Any:
    """The content of a JSON file that a job wrote. Raises `ParleyError` if it is missing or not whole."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParleyError(f"{path}: no such file; build it first") from None
    except ValueError:  # not JSON, or not UTF-8
        raise ParleyError(f"{path}: {CUT_OFF}") from None


def write_text(path: str | Path, text: str) -> None:
    """Write `text` so that a reader sees the old file or the whole new one, never a part; also after a power loss."""
    with published(Path(path)) as part:
        part.write_text(text, encoding="utf-8")


def jsonl(records: Iterable[Record]) -> str:
    """One record a line, fields in their declared order. No record is one empty line: an empty file is a damaged one."""
    return "".join(record.model_dump_json() + "\n" for record in records) or "\n"


def write_jsonl(path: str | Path, records: Iterable[Record]) -> None:
    """Write records as `jsonl` spells them, atomically."""
    write_text(path, jsonl(records))
