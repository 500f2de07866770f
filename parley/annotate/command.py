"""`parley annotate`: hold the study in which people rate episodes.

Serve the app, invite raters, look how far they are, and export what they gave; or let people rate with another tool.
The study is one SQLite file (studies/EXPERIMENT.sqlite unless --study says otherwise); every command but `serve` may
run while it is served.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from parley.config import Experiment, load
from parley.errors import ParleyError
from parley.layout import Layout

#: Where the admin's token is taken from, if it is set.
TOKEN = "PARLEY_ADMIN_TOKEN"


def attach(commands: Any) -> None:
    """Add the command to the parser of `parley`."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser(
        "annotate", help="hold the study in which people rate episodes", description=__doc__, formatter_class=raw
    )
    parser.add_argument("--experiment", type=Path, default=Path("config.yaml"), help="the config (YAML or JSON)")
    parser.add_argument("--study", type=Path, help="the study's file; studies/EXPERIMENT.sqlite if not given")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, run: Callable[[argparse.Namespace], None], told: str) -> argparse.ArgumentParser:
        one: argparse.ArgumentParser = verbs.add_parser(name, help=told, description=f"{told}.")
        one.set_defaults(run=run)
        return one

    serve = verb("serve", _serve, "serve the app to raters until stopped")
    serve.add_argument("--host", default="127.0.0.1", help="loopback unless told otherwise; put a TLS proxy before it")
    serve.add_argument("--port", type=int, default=8400)
    serve.add_argument("--name", action="append", default=[], help="a host name under which raters reach the app")
    serve.add_argument("--proxy", metavar="ADDRESS", help="a proxy whose word on visitors' addresses is taken")
    serve.add_argument("--per-rater", type=int, default=10, metavar="N", help="most conversations of a rater (10)")
    serve.add_argument("--idle-hours", type=float, default=2, metavar="H", help="until a left item goes to others (2)")
    serve.add_argument("--title", default="Rating conversations", help="stands on every page")
    serve.add_argument("--contact", default="", help="whom raters may ask; stands on every page")
    serve.add_argument(
        "--consent", type=Path, metavar="FILE", help="your text of the consent page (# and - as Markdown)"
    )
    serve.add_argument("--code", default="", help="one completion code for all, as Prolific has it")
    serve.add_argument("--return-url", default="", metavar="URL", help="where raters go back to in the end")

    invite = verb("invite", _invite, "make links for raters, one for each, and print them")
    invite.add_argument("count", type=int, nargs="?", default=1)
    invite.add_argument("--open", action="store_true", help="one link for everyone instead, as Prolific needs it")
    invite.add_argument("--url", default="http://127.0.0.1:8400", help="how raters reach the app")

    verb("progress", _progress, "print how the study stands")

    out = verb("export", _export, "write the ratings as a parquet file for `human_ratings`")
    out.add_argument("--out", type=Path, help="studies/EXPERIMENT.ratings.parquet if not given")
    out.add_argument("--rater", metavar="NAME", help="print everything that is kept of one person, as JSON, instead")

    give = verb("give", _give, "write the items for another annotation tool")
    give.add_argument("tool", choices=("label-studio", "argilla", "potato"))
    give.add_argument("--out", type=Path, required=True, metavar="FOLDER")

    form = verb("form", _form, "write a form in one HTML file, for a rater without the app")
    form.add_argument("--count", type=int, default=10, help="conversations in it (10)")
    form.add_argument("--days", type=float, default=14, help="how long they are kept for this rater (14)")
    form.add_argument("--out", type=Path, required=True, metavar="FILE")

    take = verb("take", _take, "take in ratings that were made with another tool, or with a form")
    take.add_argument("tool", choices=("label-studio", "argilla", "potato", "form"))
    take.add_argument("files", type=Path, nargs="+", metavar="FILE")

    delete = verb("delete", _delete, "delete everything that is kept of a person")
    delete.add_argument("rater", metavar="NAME")


def _experiment(options: argparse.Namespace) -> tuple[Experiment, Path]:
    from parley.annotate.files import study_path

    experiment = load(options.experiment)
    if experiment.human is None:
        raise ParleyError(f"{options.experiment}: no study is configured; add `human: {{evaluation: …}}`")
    return experiment, options.study or study_path(experiment)


def _open(options: argparse.Namespace, **more: Any) -> tuple[Any, Experiment]:
    """The study of an experiment, which must be there."""
    from parley.annotate.study import Study

    experiment, path = _experiment(options)
    if not path.exists():
        raise ParleyError(f"{path}: no such study; begin it with `parley annotate serve` or `invite`")
    assert experiment.human is not None
    return Study(path, experiment.human.raters, **more), experiment


def _begin(options: argparse.Namespace, **more: Any) -> Any:
    """The study of an experiment with the items that were sampled; it is made if it is not there."""
    from parley.annotate.files import read_items, read_key
    from parley.annotate.study import Study

    experiment, path = _experiment(options)
    assert experiment.human is not None
    layout = Layout(experiment)
    items, key = Path(layout.human("items.jsonl")), Path(layout.human("key.parquet"))
    if not items.exists() or not key.exists():
        raise ParleyError(f"{items}: not sampled yet; build it with `snakemake --cores 1 {items}`")
    found = read_items(items, read_key(key))
    study = Study(path, experiment.human.raters, **more)
    study.add(*found)
    return study


def _serve(options: argparse.Namespace) -> None:
    from parley.annotate.app import application
    from parley.annotate.serving import listen, only_server, server_of
    from parley.annotate.study import Settings
    from parley.annotate.tokens import fresh

    settings = Settings(
        title=options.title,
        contact=options.contact,
        consent=_text(options.consent) if options.consent else "",
        code=options.code,
        return_url=_url(options.return_url),
    )
    _, path = _experiment(options)
    with only_server(path), listen(options.host, options.port) as place:
        study = _begin(options, settings=settings, per_rater=options.per_rater, idle_hours=options.idle_hours)
        study.database.copy()
        token = os.environ.get(TOKEN) or fresh()
        host = f"[{options.host}]" if ":" in options.host else options.host
        url = f"http://{host}:{place.getsockname()[1]}"
        print(f"serving {path} at {url}; how it stands: {url}/admin", flush=True)
        if not os.environ.get(TOKEN):
            print(f"the admin's token, told this once: {token}", flush=True)
        server_of(application(study, token, [options.host, *options.name]), options.proxy).run([place])
        study.close()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ParleyError(f"{path}: cannot be read; give a UTF-8 text file with --consent") from None


def _url(text: str) -> str:
    if text and not text.startswith(("https://", "http://")):
        raise ParleyError(f"--return-url {text}: no web address; begin it with https://")
    return text


def _invite(options: argparse.Namespace) -> None:
    if options.count < 1:
        raise ParleyError(f"{options.count} links cannot be made; give a number from 1 on")
    study, url = _begin(options), options.url.rstrip("/")
    if options.open:
        print(f"{url}/enter/{study.raters.open_link()}")
        print("one link for everyone; any that was made before is void", file=sys.stderr)
    else:
        for name, token in study.raters.invite(options.count):
            print(f"{name}\t{url}/enter/{token}")
    study.close()


def _progress(options: argparse.Namespace) -> None:
    from parley.annotate.admin import progress

    study, _ = _open(options)
    found = progress(study)
    print(
        f"{found['complete']} of {found['items']} conversations have all their ratings; {found['ratings']} ratings, "
        f"{found['open']} still wanted, {found['doubtful']} conversations are doubtful"
    )
    for meaning, count in found["flags"].items():
        if count:
            print(f"  {count} ratings: {meaning}")
    for rater in found["raters"]:
        code = f", code {rater['code']}" if rater["code"] else ""
        print(f"  {rater['rater']}: {rater['step']}, {rater['done']} rated{code}")
    study.close()


def _export(options: argparse.Namespace) -> None:
    from parley.annotate.files import export, read_key

    study, experiment = _open(options)
    if options.rater:
        print(json.dumps(study.raters.data(options.rater), indent=1, ensure_ascii=False))
    else:
        out = options.out or study.database.path.with_suffix(".ratings.parquet")
        count = export(study, read_key(Path(Layout(experiment).human("key.parquet"))), out)
        left = study.work.open_places()
        print(f"{out}: {count} ratings{f', {left} still wanted' if left else ''}; use it with `human_ratings: {out}`")
    study.close()


def _give(options: argparse.Namespace) -> None:
    from parley.annotate.exchange import GIVE

    study = _begin(options)
    for path in GIVE[options.tool]([*study.work.items().values()], options.out):
        print(path)
    study.close()


def _form(options: argparse.Namespace) -> None:
    from parley.annotate.exchange.offline import write_form

    study = _begin(options, per_rater=options.count)
    ((rater, _),) = study.raters.invite(1)
    items = study.work.reserve(rater, options.count, options.days * 24 * 3600)
    if not items:
        study.raters.delete(rater)
        raise ParleyError(f"{study.database.path}: nothing is left to rate; no form was written")
    write_form(items, rater, study.settings.title, options.out)
    print(f"{options.out}: {len(items)} conversations for {rater}; take its file in with `parley annotate take form`")
    study.close()


def _take(options: argparse.Namespace) -> None:
    from parley.annotate.exchange import TAKE

    study = _begin(options)
    given = [one for path in options.files for one in TAKE[options.tool](path)]
    with study.database.transaction():  # all of them, or none
        new = sum(study.work.take_in(one) for one in given)
    print(f"{new} ratings taken in, {len(given) - new} were there already")
    study.close()


def _delete(options: argparse.Namespace) -> None:
    study, _ = _open(options)
    count = study.raters.delete(options.rater)
    print(f"{options.rater} is deleted, and {count} finished ratings; files that were exported before still have them")
    study.close()
