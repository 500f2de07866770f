"""Requests as bytes: exact, short, and noticed when they are not what they were."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.llm.blocks import DamagedRow
from parley.llm.call import Request
from parley.llm.packing import differences, pack_request, sums, unpack_request
from parley.records.message import Message
from tests.calls import MODEL

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
LINES = st.lists(st.sampled_from(["", "one", "é\r", "two\x00", "{"]), max_size=8).map("\n".join)
MESSAGES = st.lists(
    st.builds(lambda role, content: Message(role=role, content=content), st.sampled_from(["user", "x\n"]), TEXT | LINES)
)
REQUESTS = st.builds(
    Request,
    model=st.just(MODEL),
    messages=MESSAGES.map(tuple),
    seed=st.none() | st.integers(-(2**40), 2**40),
    schema=st.none() | st.dictionaries(TEXT, TEXT | st.integers(), max_size=3),
    replicate=st.integers(0, 100),
)


class Shelf:
    """Blocks in memory."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []

    def put(self, data: bytes) -> int:
        if data not in self.texts:
            self.texts.append(data)
        return self.texts.index(data) * 3 + 1

    def get(self, number: int) -> bytes:
        return self.texts[(number - 1) // 3]


@given(REQUESTS)
def test_a_request_comes_back_exactly(request: Request) -> None:
    shelf = Shelf()
    model, packed = shelf.put(b'{"engine":"openai","name":"judge","temperature":0}'), pack_request(request, shelf.put)
    back = unpack_request(request.key, model, packed, shelf.get)
    assert back == request
    assert (back.schema is None) == (request.schema is None)
    assert list(back.schema or ()) == list(request.schema or ())


@given(REQUESTS, st.data())
def test_a_changed_byte_is_noticed(request: Request, data: st.DataObject) -> None:
    shelf = Shelf()
    model, packed = shelf.put(b'{"engine":"openai","name":"judge","temperature":0}'), pack_request(request, shelf.put)
    place = data.draw(st.integers(0, len(packed) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != packed[place]))
    changed = packed[:place] + bytes([other]) + packed[place + 1 :]
    try:
        back = unpack_request(request.key, model, changed, shelf.get)
    except (DamagedRow, IndexError):
        return  # the shelf of a file says `DamagedRow` for a number that it does not have
    assert back.key == request.key  # what was changed does not matter to what was asked


@given(st.lists(st.integers(0, 2**62)))
def test_numbers_come_back_from_their_differences(numbers: list[int]) -> None:
    assert list(sums(differences(numbers))) == numbers


def test_lines_that_were_stored_one_after_the_other_take_a_byte_each() -> None:
    assert len(differences(list(itertools.chain([1_000_000], range(1_000_001, 1_000_060))))) == 3 + 59
    assert len(differences(list(range(5_000_000, 5_000_000 + 50 * 60, 60)))) == 4 + 49
    assert list(sums(differences([5, 3, 3, 900]))) == [5, 3, 3, 900]


@pytest.mark.parametrize("packed", [b"", b"x", b"[", b"[]\x00", b"[[],0,null]\x00", b"\xff" * 40, b"[1]\x00\x80"])
def test_what_is_no_request_is_a_damaged_row(packed: bytes) -> None:
    with pytest.raises(DamagedRow):
        unpack_request("0" * 64, 1, packed, lambda number: b"{}")
