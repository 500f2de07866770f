"""How a job stops: at Ctrl-C, at SIGTERM, and when the Snakemake that started it has ended. Soon, and in order.

What is paid for is on disk at every moment, so that a job which does not stop in order within `GRACE` seconds just ends.
Where it is not, as in a training between two checkpoints, the job `defers`: it is told, saves first, and stops then.
"""

import os
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

GRACE = 8.0  # seconds
#: For a job that saves first. A cluster gives a job that it ends 30 s (SLURM's KillWait) or what it is set to.
GRACE_TO_SAVE = 60.0
#: The process that a job must not outlive, set by the workflow.
RUN = "PARLEY_RUN"
SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: What also tells a job that saves first to do so: clusters can be asked to send it some time before the end.
SAVING = (*SIGNALS, signal.SIGUSR1)
INTERRUPTED = "interrupted: everything paid for so far is in the ledger; run the same command again to go on"


class Request:
    """Whether the job has been asked to stop, while it defers that."""

    def __init__(self) -> None:
        self.made = False


@contextmanager
def obedient() -> Iterator[None]:
    """Within the block SIGTERM is a `KeyboardInterrupt` as Ctrl-C is, and the end of the run is a SIGTERM.

    Only the main thread can do this.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _interrupt) for number in SIGNALS}
    run = os.environ.get(RUN, "")
    if run.isdigit() and _is_ancestor(int(run)):
        with suppress(OSError, AttributeError):  # not on this system: then only the lock of the ledger is left
            handle = os.pidfd_open(int(run))
            threading.Thread(target=_follow, args=(handle,), daemon=True).start()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def deferring() -> Iterator[Request]:
    """Within the block a signal to stop only makes a request, which the block is to look at; later it is obeyed again.

    Who comes to the end of the block with a request is interrupted there. Ctrl-C twice, and `GRACE_TO_SAVE` seconds
    after the first signal, end the job at once; other signals repeat themselves on clusters and change nothing. Only the
    main thread can do this.
    """
    request, deadlines = Request(), list[threading.Timer]()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def ask(number: int, frame: object) -> None:
        if request.made and number == signal.SIGINT:
            end()
        if not request.made:
            request.made = True
            deadlines.append(set_deadline(GRACE_TO_SAVE))

    before = {number: signal.signal(number, ask) for number in SAVING}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for deadline in deadlines:  # it has saved: whoever called it, maybe in a notebook, is not to die for that
            deadline.cancel()
    if request.made:
        signal.raise_signal(signal.SIGINT)  # a script gets its deadline by this
        raise KeyboardInterrupt


def set_deadline(seconds: float | None = None) -> threading.Timer:
    """End in so many seconds, by default `GRACE`, whatever is still going on then, unless that is cancelled."""
    timer = threading.Timer(GRACE if seconds is None else seconds, end)
    timer.daemon = True
    timer.start()
    return timer


def end() -> None:
    """End now. Engines have a leash and follow."""
    with suppress(OSError):
        os.write(2, f"{INTERRUPTED}\n".encode())
    os._exit(130)


def _interrupt(number: int, frame: object) -> NoReturn:
    set_deadline()
    for each in SIGNALS:
        signal.signal(each, lambda number, frame: end())  # who asks twice does not want to wait
    raise KeyboardInterrupt


def _follow(handle: int) -> None:
    """Wait for the end of the process behind `handle`, then stop this one."""
    select.select([handle], [], [])
    os.kill(os.getpid(), signal.SIGTERM)


def _is_ancestor(process: int) -> bool:
    """True if `process` started this one, or what started it. In a container its number may mean another process."""
    current = os.getppid()
    while current > 1 and current != process:
        try:
            # The fields follow the name, which may hold anything, in parentheses: state, parent, …
            current = int(Path(f"/proc/{current}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            return False
    return current == process
