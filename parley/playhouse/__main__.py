"""`python -m parley.playhouse --port 8300`: serve the scripted speakers on loopback until stopped."""

import argparse
import sys

from aiohttp import web

from parley.playhouse.batches import Counter, Pace
from parley.playhouse.server import application, complete


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8300)
    parser.add_argument("--host", default="127.0.0.1", help="loopback unless told otherwise")
    batches = parser.add_argument_group("batches")
    batches.add_argument("--batch-delay", type=float, default=0.0, metavar="SECONDS", help="until a batch ends")
    batches.add_argument("--batch-failing", type=float, default=0.0, metavar="SHARE", help="of lines that fail")
    batches.add_argument("--batch-expiring", type=float, metavar="SHARE", help="answered when a batch expires")
    batches.add_argument("--batch-room", type=int, metavar="LINES", help="most lines in unfinished batches")
    options = parser.parse_args()
    pace = Pace(options.batch_delay, options.batch_failing, options.batch_expiring, options.batch_room)
    print(f"playhouse at http://{options.host}:{options.port}/v1", flush=True)
    try:
        app = Counter(complete, pace).attach(application())
        web.run_app(app, host=options.host, port=options.port, print=None, access_log=None)
    except OSError as error:
        sys.exit(f"error: cannot listen on {options.host}:{options.port} ({error.strerror}); give another --port")


if __name__ == "__main__":
    main()
