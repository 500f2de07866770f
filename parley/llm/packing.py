"""A request as bytes in a row: who speaks, how many lines, and the numbers of the lines.

Version 2 is a JSON list `[[[role, lines], …], replicate, schema, seed]` followed by the numbers, each as the
difference to the one before: lines that follow one another were mostly stored one after the other, so that a line takes
one or two bytes. Version 1, compressed JSON with the numbers in full, is read too.
"""

import json
import zlib
from collections.abc import Callable, Iterator
from itertools import islice

from parley.canonical import canonical_json
from parley.llm.blocks import DamagedRow
from parley.llm.call import Request
from parley.records.message import Message

END = b"\x00"  # of the JSON, in which it cannot be


def pack_request(request: Request, block: Callable[[bytes], int]) -> bytes:
    """A request without its model; `block` stores a text once and gives its number."""
    lines = [message["content"].encode().splitlines(keepends=True) for message in request.messages]
    schema = None if request.schema is None else block(json.dumps(request.schema).encode())
    roles = [[message["role"], len(own)] for message, own in zip(request.messages, lines, strict=True)]
    head = canonical_json([roles, request.replicate, schema, request.seed]).encode()
    return head + END + differences([block(line) for own in lines for line in own])


def unpack_request(key: str, model: int, packed: bytes, block: Callable[[int], bytes]) -> Request:
    """The request behind a row. Raises `DamagedRow` unless it hashes to `key`."""
    request = read_request(model, packed, block)
    if request.key != key:
        raise DamagedRow("a stored request does not match its key")
    return request


def read_request(model: int, packed: bytes, block: Callable[[int], bytes]) -> Request:
    """The request behind a row, whatever its key. Raises `DamagedRow` if it cannot be read."""
    try:
        messages, replicate, schema, seed = _first(packed) if packed[:1] == b"x" else _second(packed)
        return Request(
            model=json.loads(block(model)),
            messages=tuple(
                Message(role=role, content=b"".join(map(block, lines)).decode()) for role, lines in messages
            ),
            seed=seed,
            schema=None if schema is None else json.loads(block(schema)),
            replicate=replicate,
        )
    except (zlib.error, ValueError, KeyError, TypeError, OverflowError) as error:
        raise DamagedRow(f"a stored request cannot be read ({type(error).__name__})") from None


Parts = tuple[list[tuple[str, list[int]]], int, int | None, int | None]


def _first(packed: bytes) -> Parts:
    body = json.loads(zlib.decompress(packed))
    return body["messages"], body["replicate"], body["schema"], body["seed"]


def _second(packed: bytes) -> Parts:
    head, _, rest = packed.partition(END)
    roles, replicate, schema, seed = json.loads(head)
    numbers = sums(rest)
    return [(role, list(islice(numbers, count))) for role, count in roles], replicate, schema, seed


def differences(numbers: list[int]) -> bytes:
    """Whole numbers as their differences, seven bits a byte, the lowest first; the high bit says that more follow."""
    packed, last = bytearray(), 0
    for number in numbers:
        step = number - last
        rest = step << 1 if step >= 0 else ~(step << 1)  # the sign is the lowest bit
        while rest > 127:
            packed.append(rest & 127 | 128)
            rest >>= 7
        packed.append(rest)
        last = number
    return bytes(packed)


def sums(packed: bytes) -> Iterator[int]:
    """The numbers that `differences` packed."""
    last = rest = shift = 0
    for byte in packed:
        rest |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            last += rest >> 1 if not rest & 1 else ~(rest >> 1)
            yield last
            rest = shift = 0
