"""A full disk and a read-only one: one clear line, nothing lost, and nothing paid for that cannot be kept."""

import pytest

from tests.disks import on_a_disk
from tests.workflow import talk_only

LEDGER = """
from parley.llm.call import Reply, Request
from parley.llm.ledger import Ledger

def call(number, words=1000):
    model = {"name": "m", "temperature": 1, "max_tokens": 9, "top_p": 1}
    request = Request(model, ({"role": "user", "content": f"{number}"},))
    text = "".join(chr(33 + (number * 7919 + i * i) % 90) for i in range(words))
    return request, Reply(key=request.key, text=text, finish_reason="stop", prompt_tokens=1, completion_tokens=1,
                          cached_tokens=0, seconds=0.1)
"""


def test_a_ledger_on_a_disk_that_fills_up_keeps_what_it_has_and_goes_on_later(tmp_path):
    said = on_a_disk(
        tmp_path / "disk",
        "512k",
        LEDGER
        + """
path, kept = disk / "ledger/00.sqlite", 0
try:
    with Ledger(path) as ledger:
        while True:
            ledger.put(*call(kept))
            kept += 1
except ParleyError as error:
    print("said", error)
with Ledger(path) as ledger:
    assert kept > 50 and all(ledger.get(call(number)[0].key) for number in range(kept))
    assert ledger.get(call(kept)[0].key) is None
remount("size=2m")
with Ledger(path) as ledger:
    ledger.put(*call(kept))
    print("kept", all(ledger.get(call(number)[0].key) for number in range(kept + 1)))
""",
    )
    assert said.startswith("said ledger ") and "the disk is full" in said and "what is stored stays" in said
    assert said.endswith("kept True\n")


@pytest.mark.parametrize("begun", [True, False], ids=["a ledger with calls", "no ledger yet"])
@pytest.mark.parametrize("how", ["fill(leave=4096)", 'remount("ro")'])
def test_a_ledger_that_could_not_keep_an_answer_is_noticed_before_the_call_is_sent(tmp_path, begun, how):
    said = on_a_disk(
        tmp_path / "disk",
        "1m",
        LEDGER
        + f"""
path = disk / "ledger/00.sqlite"
if {begun}:
    with Ledger(path) as ledger:
        ledger.put(*call(1))
{how}
with Ledger(path) as ledger:
    print("replays", ledger.get(call(1)[0].key) is not None)
    try:
        ledger.ready()
    except ParleyError as error:
        print("said", error)
""",
    )
    assert f"replays {begun}\nsaid ledger " in said
    assert ("the disk is full" if "fill" in how else "cannot be written") in said
    assert len(said.splitlines()) == 2


WRITES = {
    "text": 'from parley.records.jsonl import write_text\nwrite = lambda path, n: write_text(path, "x" * n)',
    "table": "import polars as pl, random\nfrom parley.records.frames import write_parquet\n"
    "write = lambda path, n: write_parquet(path, pl.DataFrame({'a': [random.random() for _ in range(n // 8)]}))",
    "folder": "from parley.learning.folder import new_folder\n"
    "def write(path, n):\n    with new_folder(path) as part:\n        (part / 'weights').write_bytes(bytes(n))",
    "adapter": "from safetensors.numpy import save_file\nimport numpy as np\nfrom parley.learning.folder import new_folder\n"
    "def write(path, n):\n    with new_folder(path) as part:\n"
    "        save_file({'a': np.zeros(n // 4, dtype='f4')}, part / 'adapter_model.safetensors')",
}


@pytest.mark.parametrize("how", ["fill(leave=4096)", 'remount("ro")'])
@pytest.mark.parametrize("kind", WRITES)
def test_a_result_that_cannot_be_written_is_one_line_and_the_old_one_stays(tmp_path, kind, how):
    said = on_a_disk(
        tmp_path / "disk",
        "1m",
        f"""
{WRITES[kind]}
path = disk / "results/a"
write(path, 1000)
bytes_of = lambda: [one.read_bytes() for one in ([path] if path.is_file() else sorted(path.iterdir()))]
old = bytes_of()
{how}
try:
    run_as_script(lambda: write(path, 200_000))
except SystemExit as end:
    print("said", end.code)
assert bytes_of() == old
if "fill" in {how!r}:
    assert os.listdir(path.parent) == ["a"], os.listdir(path.parent)
    make_room()
    write(path, 200_000)
    assert bytes_of() != old
print("whole")
""".replace("{WRITES[kind]}", WRITES[kind]),
    )
    assert said.startswith("said error: ") and said.endswith("whole\n") and len(said.splitlines()) == 2, said
    assert ("no space left; free some" if "fill" in how else "on a read-only file system; make it writable") in said


def test_a_job_whose_log_cannot_be_written_goes_on_and_says_it_on_stderr(tmp_path):
    said = on_a_disk(
        tmp_path / "disk",
        "256k",
        """
from parley.progress import Journal
with Journal(disk / "logs/a.log") as journal:
    journal.line("in the log")
    fill()
    for number in range(200):
        journal.line(f"line {number} " + "x" * 100)
    print("done", flush=True)
""",
    )
    assert "done" in said and "line 199" in said and "Traceback" not in said


@pytest.mark.parametrize("how", ["fill()", 'remount("ro")'])
def test_a_run_on_results_that_cannot_be_written_is_refused_in_one_line(tmp_path, how):
    said = on_a_disk(
        tmp_path / "disk",
        "256k",
        f"""
from parley.config import check
from parley.layout import Layout
from parley.lock import hold
from tests.workflow import talk_only
{how}
def start():
    hold(str(disk / "results/talk"))
    Layout(check(talk_only(), "config"), str(disk / "results")).publish()
try:
    run_as_script(start)
except SystemExit as end:
    print("said", end.code)
""",
    )
    assert said.startswith("said error: ") and len(said.splitlines()) == 1, said
    assert ("no space left" if how == "fill()" else "read-only") in said


def test_a_job_that_cannot_write_its_results_sends_nothing(tmp_path):
    said = on_a_disk(
        tmp_path / "disk",
        "1m",
        """
import argparse, asyncio, yaml
from parley.job import Stage
from parley.progress import Journal
from tests.workflow import talk_only
config = disk / "config.yaml"
config.write_text(yaml.safe_dump(talk_only()))
(disk / "results").mkdir()
remount("ro")
options = argparse.Namespace(experiment=config, log=None, ledger=Path(sys.argv[1] + "-ledger/00.sqlite"),
                             usage=disk / "results/usage.json", adapter=[])
async def main():
    async with Stage.of("episodes", options, Journal(None)).speakers(["expert"]) as speakers:
        print("a call could be sent")
try:
    run_as_script(lambda: asyncio.run(main()))
except SystemExit as end:
    print("said", end.code)
""",
    )
    assert said.startswith("said error: ") and "read-only file system" in said and "could be sent" not in said


@pytest.mark.slow
def test_a_run_whose_disk_fills_up_stops_with_the_reason_and_goes_on_when_there_is_room(tmp_path):
    assert talk_only()["experiment"] == "talk"
    said = on_a_disk(
        tmp_path / "disk",
        "64m",
        """
from tests.workflow import Workshop, talk_only
reference = Workshop(disk / "reference", talk_only())
reference.run("scores")
total = reference.calls()
full = Workshop(disk / "full", talk_only())
full.run("tasks")
fill(leave=600_000)
output = full.run("scores", status=1)
print("REASON", "no space left" in output.lower() or "the disk is full" in output)
print("KEPT", 0 < full.calls() < total)
before = full.calls()
make_room()
full.run("scores")
print("PAID ONCE", full.calls() == total)
print("SAME", full.read("[es][pc]*/**/*") == reference.read("[es][pc]*/**/*") != {})
""",
    )
    assert [line.split()[-1] for line in said.splitlines()[-4:]] == ["True"] * 4, said[-3000:]
