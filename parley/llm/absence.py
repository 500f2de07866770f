"""Absence: knowing for certain that a key is not in a set, in a fixed amount of memory (a Bloom filter)."""

DIGITS = 23  # of a key, in hex: four places of 23 bits
PLACES = 4
BITS = 23  # 2²³ bits are a megabyte; at 200,000 keys one absent key in 10,000 is taken for one that may be there


class Absence:
    """`key in absence` is certain; that a key is not in it only says that it may be one of those that were `seen`.

    Keys are SHA-256 in hex: their digits are as random as a filter needs them.
    """

    def __init__(self) -> None:
        self._bits = bytearray(1 << (BITS - 3))

    def seen(self, key: str) -> None:
        """From now on `key` is not absent."""
        for place in _places(key):
            self._bits[place >> 3] |= 1 << (place & 7)

    def __contains__(self, key: str) -> bool:
        return not all(self._bits[place >> 3] >> (place & 7) & 1 for place in _places(key))


def _places(key: str) -> list[int]:
    number = int(key[:DIGITS], 16)
    return [number >> BITS * place & (1 << BITS) - 1 for place in range(PLACES)]
