"""The arguments that every script has."""

import argparse
from pathlib import Path


def arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser with the options that every script has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", type=Path, default=Path("config.yaml"), help="the config (YAML or JSON)")
    parser.add_argument("--log", type=Path, help="where progress is written; stderr if not given")
    return parser
