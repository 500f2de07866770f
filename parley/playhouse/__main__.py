"""`python -m parley.playhouse --port 8300`: serve the scripted speakers on loopback until stopped.

With --faults the server fails as real endpoints do, for tests and trials; with --upstream it stands before another
endpoint instead of the scripted speakers.
"""

import argparse
import sys

from aiohttp import web

from parley.playhouse import upstream
from parley.playhouse.batches import Counter, Pace
from parley.playhouse.faults import KINDS
from parley.playhouse.schedule import disturb, parse
from parley.playhouse.server import application, complete


def _arguments() -> argparse.ArgumentParser:
    rows = [("429, 500, …", "refused with this HTTP status; with SECONDS, and `Retry-After: SECONDS`")]
    rows += [(name, kind.meaning) for name, kind in KINDS.items()]
    faults = "\n".join(f"  {name:<12} {meaning}" for name, meaning in rows)
    parser = argparse.ArgumentParser(
        prog="python -m parley.playhouse",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"faults:\n{faults}\n\nGET /faults tells how many requests have met each.",
    )
    parser.add_argument("--port", type=int, default=8300)
    parser.add_argument("--host", default="127.0.0.1", help="loopback unless told otherwise")
    parser.add_argument("--faults", default="", metavar="NAME=SHARE[:SECONDS],…", help="such as 429=0.2,bad_json=0.1")
    parser.add_argument("--seed", type=int, default=0, help="which of the requests meet a fault")
    parser.add_argument("--upstream", metavar="URL", help="an endpoint to stand before, up to and with its /v1")
    batches = parser.add_argument_group("batches")
    batches.add_argument("--batch-delay", type=float, default=0.0, metavar="SECONDS", help="until a batch ends")
    batches.add_argument("--batch-failing", type=float, default=0.0, metavar="SHARE", help="of lines that fail")
    batches.add_argument("--batch-expiring", type=float, metavar="SHARE", help="answered when a batch expires")
    batches.add_argument("--batch-room", type=int, metavar="LINES", help="most lines in unfinished batches")
    return parser


def main() -> None:
    """Serve until interrupted."""
    parser = _arguments()
    options = parser.parse_args()
    try:
        schedule = parse(options.faults, options.seed)
    except ValueError as error:
        parser.error(f"--faults: {error}")
    pace = Pace(options.batch_delay, options.batch_failing, options.batch_expiring, options.batch_room)
    app = upstream.application(options.upstream) if options.upstream else Counter(complete, pace).attach(application())
    if schedule.chances:
        disturb(app, schedule)
    print(f"playhouse at http://{options.host}:{options.port}/v1", flush=True)
    try:
        # Requests that hang are not waited for at the end.
        web.run_app(app, host=options.host, port=options.port, print=None, access_log=None, shutdown_timeout=1)
    except OSError as error:
        sys.exit(f"error: cannot listen on {options.host}:{options.port} ({error.strerror}); give another --port")


if __name__ == "__main__":
    main()
