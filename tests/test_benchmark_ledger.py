"""The steps of the ledger's benchmark do what their figures say, on a small stage."""

from pathlib import Path

import pytest

from benchmarks.ledger import NEW, fill, look_up, put_alone, replay, rounds, shard_path, start
from benchmarks.traffic import TURNS, Setting


def test_a_stage_is_filled_found_and_replayed(tmp_path: Path) -> None:
    own = shard_path(tmp_path, 0)
    calls, raw, wall, cpu = fill(own, [0, 2, 4], 2)
    assert calls == 3 * TURNS
    assert 3_000 < raw / calls < 6_000  # bytes of a prompt
    assert wall > 0 and cpu > 0
    assert own.stat().st_size < raw
    assert replay(own, [0, 2, 4])[0] == calls  # it asserts that every call was found
    assert min(look_up(own, [2])) > 0
    assert min(put_alone(own, 3)) > 0
    with pytest.raises(AssertionError):
        replay(own, [1])
    assert start(own, tmp_path, NEW, 2) > 0


def test_calls_come_turn_by_turn_of_all_episodes_in_flight() -> None:
    groups = list(rounds(Setting.default(), [1, 2, 3], 2))
    assert [len(group) for group in groups] == [2] * TURNS + [1] * TURNS
    keys = [request.key for group in groups for request, _ in group]
    assert len(set(keys)) == 3 * TURNS
    again = [request.key for group in rounds(Setting.default(), [1, 2, 3], 2) for request, _ in group]
    assert again == keys
