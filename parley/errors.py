"""Errors that a person can act on: one line that says what is wrong, where, and the remedy."""

import sys
from collections.abc import Callable


class ParleyError(Exception):
    """A fault in what was given (config, file, environment), told in one line with its remedy."""


def run_as_script(main: Callable[[], None]) -> None:
    """Run a script's `main`; a `ParleyError` ends it with its one line on stderr and status 1, without a traceback."""
    try:
        main()
    except ParleyError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted: everything paid for so far is in the ledger; run the same command again to go on")
