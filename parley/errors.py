"""Errors that a person can act on: one line that says what is wrong, where, and the remedy."""

import errno
import os
import re
import sys
from collections.abc import Callable

from parley import stopping

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class ParleyError(Exception):
    """A fault in what was given (config, file, environment), told in one line with its remedy."""


def disk_fault(error: BaseException, where: str = "") -> str | None:
    """One line about a disk that takes no more, or nothing; None for any other error. `where` if it does not say so."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None:  # libraries that write by themselves tell it in words
        found = re.search(r"\(os error (\d+)\)", str(error))
        number = int(found[1]) if found else None
    if number is None and "no space left on device" in str(error).lower():
        number = errno.ENOSPC
    place = str(getattr(error, "filename", None) or where or "the disk")
    if number in _FULL:
        return f"{place}: no space left; free some and run the same command again, nothing that is stored is lost"
    if number == errno.EROFS:
        return f"{place}: on a read-only file system; make it writable and run the same command again"
    if number in (errno.EACCES, errno.EPERM):
        return f"{place}: no permission; give yourself the right to read and write it and run the same command again"
    return None


def run_as_script(main: Callable[[], None]) -> None:
    """Run a script's `main`; an error that a person can mend ends it with one line on stderr and status 1.

    Ctrl-C and SIGTERM end it soon and in order, and so does the end of the Snakemake that started it.
    """
    try:
        with stopping.obedient():
            main()
    except ParleyError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(stopping.INTERRUPTED)
    except BrokenPipeError:  # whoever reads has seen enough; Python would complain once more when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except Exception as error:
        if (fault := disk_fault(error)) is None:
            raise
        sys.exit(f"error: {fault}")
