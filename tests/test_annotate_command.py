"""`parley annotate`: what each command prints, what it needs, and the one line that each fault gives."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import IO

import pytest
import yaml

from parley.annotate.serving import listen, only_server
from parley.annotate.study import Study
from parley.errors import ParleyError
from parley.records.frames import read_parquet, write_parquet
from parley.records.jsonl import write_jsonl
from tests.annotating import ROOT, annotation, key_of, some
from tests.workflow import talk_only


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a config and sampled items."""
    config = {**talk_only(), "human": {"evaluation": "all"}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    items, strata = some(3)
    write_jsonl(tmp_path / "results/talk/human/items.jsonl", items)
    write_parquet(tmp_path / "results/talk/human/key.parquet", key_of(strata))
    return tmp_path


def parley(folder: Path, *words: str, status: int = 0) -> str:
    """What a command prints, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "parley", "annotate", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    """A command in this process."""
    from parley.__main__ import _run

    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["parley", "annotate", *words])
    _run()


def test_a_study_from_the_invitation_to_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(folder, monkeypatch, "invite", "2", "--url", "https://rate.example/")
    links = dict(re.findall(r"^(r\d+)\thttps://rate\.example/enter/(\S+)$", capsys.readouterr().out, re.MULTILINE))
    assert set(links) == {"r001", "r002"}
    run(folder, monkeypatch, "invite", "--open")
    assert capsys.readouterr().out.startswith("http://127.0.0.1:8400/enter/")
    study = Study(folder / "studies/talk.sqlite")
    assert study.raters.enter(links["r002"])
    for rater, name in (("r001", "i00"), ("r002", "i00"), ("r001", "i01")):
        study.work.take_in(annotation(rater, name))
    study.close()
    run(folder, monkeypatch, "progress")
    said = capsys.readouterr().out
    assert said.startswith("1 of 3 conversations have all their ratings; 3 ratings, 3 still wanted, 0 conversations")
    assert "  r001: consent, 2 rated" in said
    run(folder, monkeypatch, "export")
    assert capsys.readouterr().out == (
        "studies/talk.ratings.parquet: 3 ratings, 3 still wanted; "
        "use it with `human_ratings: studies/talk.ratings.parquet`\n"
    )
    table = read_parquet(folder / "studies/talk.ratings.parquet")
    assert table.height == 6 and table["seat"].to_list() == [0, 1] * 3
    run(folder, monkeypatch, "export", "--rater", "r001")
    assert len(json.loads(capsys.readouterr().out)["items"]) == 2
    run(folder, monkeypatch, "delete", "r001")
    assert capsys.readouterr().out.startswith("r001 is deleted, and 2 finished ratings;")
    with pytest.raises(ParleyError, match="no rater is called 'r001'"):
        run(folder, monkeypatch, "delete", "r001")


def test_what_is_not_there_is_told_with_the_remedy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for verb in (["progress"], ["export"], ["delete", "r001"]):
        with pytest.raises(ParleyError, match=r"studies/talk\.sqlite: no such study; begin it with"):
            run(folder, monkeypatch, *verb)
    with pytest.raises(ParleyError, match="0 links cannot be made"):
        run(folder, monkeypatch, "invite", "0")
    (folder / "results/talk/human/key.parquet").unlink()
    with pytest.raises(ParleyError, match=r"items\.jsonl: not sampled yet; build it with `snakemake"):
        run(folder, monkeypatch, "invite")
    (folder / "config.yaml").write_text(yaml.safe_dump(talk_only()))
    with pytest.raises(ParleyError, match="no study is configured; add `human"):
        run(folder, monkeypatch, "invite")


def test_faults_are_one_line_and_help_tells_every_verb(folder: Path) -> None:
    assert parley(folder, "progress", status=1).count("\n") == 1
    said = parley(folder, "--help")
    assert all(f"\n    {verb} " in said for verb in ("serve", "invite", "progress", "export", "delete"))


@pytest.mark.parametrize("known", [True, False])
def test_serving_says_where_and_ends_in_order(folder: Path, known: bool) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    environment.pop("PARLEY_ADMIN_TOKEN", None)
    if known:
        environment["PARLEY_ADMIN_TOKEN"] = "from-the-environment"
    command = [sys.executable, "-m", "parley", "annotate", "serve", "--port", "0"]
    server = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        _look_at(server.stdout, folder, known)
        server.send_signal(signal.SIGTERM)
        assert "from-the-environment" not in server.communicate(timeout=60)[0]
    finally:
        server.kill()


def _look_at(said: IO[str], folder: Path, known: bool) -> None:
    url = re.search(r"http://127\.0\.0\.1:\d+", said.readline())
    assert url is not None
    if not known:
        assert re.match(r"the admin's token, told this once: \S{32}$", said.readline())
    with urllib.request.urlopen(url[0]) as answer:
        assert "Open the link" in answer.read().decode()
    assert (folder / "studies/talk.sqlite.copy").exists()
    if known:
        assert "served by another process already" in parley(folder, "serve", "--port", "0", status=1)
        assert parley(folder, "invite").startswith("r001\t")  # beside the server


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as taken, pytest.raises(ParleyError, match=r"cannot listen on 127\.0\.0\.1:\d+"):
        listen("127.0.0.1", taken.getsockname()[1])


def test_one_server_for_a_study(tmp_path: Path) -> None:
    with only_server(tmp_path / "a"):
        with (
            pytest.raises(ParleyError, match="served by another process already; stop it first"),
            only_server(tmp_path / "a"),
        ):
            pass
        with only_server(tmp_path / "b"):
            pass
    with only_server(tmp_path / "a"):
        pass
