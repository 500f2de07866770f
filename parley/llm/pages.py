"""The rows that lie in the pages of a SQLite file, read without its schema and its trees, which may be damaged.

The format is described in https://www.sqlite.org/fileformat2.html, sections 1.3 to 2.1.
"""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

Value = None | int | float | str | bytes
LEAF = 13  # the first byte of a page that holds rows of a table
PAGE_SIZES = [2**power for power in range(9, 17)]
INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # bytes by serial type


def rows(path: Path) -> Iterator[tuple[int, tuple[Value, ...]]]:
    """(row number, values) of every row that can be read, of all tables, page by page.

    What makes no sense is passed over; what makes sense need not be what was written, and in a text it may be replaced by
    U+FFFD. An `INTEGER PRIMARY KEY` is None among the values, and a whole number in a `REAL` column is an int.
    """
    with path.open("rb") as file:
        header = file.read(100)
        declared = int.from_bytes(header[16:18], "big")
        size = 65536 if declared == 1 else declared
        if size not in PAGE_SIZES:
            size = 4096
        usable = size - (header[20] if len(header) > 20 and header[20] < 64 else 0)

        def page(number: int) -> bytes:
            file.seek((number - 1) * size)
            return file.read(size)

        for number in range(1, _length(file) // size + 2):
            content = page(number)
            start = 100 if number == 1 else 0
            if content[start : start + 1] == bytes([LEAF]):
                yield from _cells(content, start, usable, page)


def _length(file: BinaryIO) -> int:
    return file.seek(0, 2)


def _cells(
    content: bytes, start: int, usable: int, page: Callable[[int], bytes]
) -> Iterator[tuple[int, tuple[Value, ...]]]:
    count = int.from_bytes(content[start + 3 : start + 5], "big")
    for index in range(min(count, usable // 4)):  # a cell and its pointer take four bytes at least
        pointer = start + 8 + 2 * index
        try:
            size, at = _varint(content, int.from_bytes(content[pointer : pointer + 2], "big"))
            number, at = _varint(content, at)
            yield number, _record(_payload(content, at, size, usable, page))
        except (IndexError, ValueError, struct.error):
            continue


def _payload(content: bytes, at: int, size: int, usable: int, page: Callable[[int], bytes]) -> bytes:
    """A row's bytes: those on its page, and those on a chain of overflow pages."""
    most, least = usable - 35, (usable - 12) * 32 // 255 - 23
    if size <= most:
        return content[at : at + size]
    local = least + (size - least) % (usable - 4)
    local = local if local <= most else least
    parts, rest = [content[at : at + local]], size - local
    following = int.from_bytes(content[at + local : at + local + 4], "big")
    while rest > 0:
        overflow = page(following) if following else b""
        if len(overflow) < 4:
            raise ValueError("the chain of overflow pages ends too early")
        parts.append(overflow[4 : min(usable, 4 + rest)])
        rest -= usable - 4
        following = int.from_bytes(overflow[:4], "big")
    return b"".join(parts)


def _record(payload: bytes) -> tuple[Value, ...]:
    end, at = _varint(payload, 0)
    place = end
    values: list[Value] = []
    while at < end:
        kind, at = _varint(payload, at)
        size = _size(kind)
        if place + size > len(payload):
            raise ValueError("the row is longer than its bytes")
        values.append(_value(kind, payload[place : place + size]))
        place += size
    return tuple(values)


def _size(kind: int) -> int:
    if kind >= 12:
        return (kind - 12) // 2
    return 8 if kind == 7 else INTEGERS.get(kind, 0)


def _value(kind: int, data: bytes) -> Value:
    if kind >= 12:
        return data.decode(errors="replace") if kind % 2 else data
    if kind == 7:
        return float(struct.unpack(">d", data)[0])
    if kind in INTEGERS:
        return int.from_bytes(data, "big", signed=True)
    return {8: 0, 9: 1}.get(kind)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of one to nine bytes, the highest first, and the place after it."""
    value = 0
    for _ in range(8):
        byte = data[at]
        at += 1
        value = value << 7 | byte & 127
        if byte < 128:
            return value, at
    return value << 8 | data[at], at + 1
