"""`python leash.py PARENT COMMAND…`: become COMMAND, and be terminated when process PARENT ends, however it ends.

Run as a file, in a fresh interpreter, because a process with threads must not run Python code between fork and exec.
It imports nothing of Parley. Outside Linux it only becomes the command.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, then turn into the command."""
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(parent):  # it ended before the line above
            sys.exit("the job that started this engine has ended")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
