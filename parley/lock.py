"""One run at a time on an experiment's results: a lock that ends with the process that holds it, however it ends."""

import fcntl
import os
from pathlib import Path

from parley.errors import ParleyError

_HELD: list[int] = []


def hold(results: str) -> None:
    """Hold the lock of a results folder until this process ends. Raises `ParleyError` if another run holds it.

    The operating system frees it when the holder dies, so that a killed run never has to be unlocked by hand.
    """
    folder = Path(results)
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise ParleyError(f"{results} is in use by another run; wait for it, or stop it first") from None
    os.set_inheritable(handle, False)
    _HELD.append(handle)
