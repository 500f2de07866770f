"""`python -m parley.playhouse --port 8300`: serve the scripted speakers on loopback until stopped."""

import argparse
import sys

from aiohttp import web

from parley.playhouse.server import application


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8300)
    parser.add_argument("--host", default="127.0.0.1", help="loopback unless told otherwise")
    options = parser.parse_args()
    print(f"playhouse at http://{options.host}:{options.port}/v1", flush=True)
    try:
        web.run_app(application(), host=options.host, port=options.port, print=None, access_log=None)
    except OSError as error:
        sys.exit(f"error: cannot listen on {options.host}:{options.port} ({error.strerror}); give another --port")


if __name__ == "__main__":
    main()
