"""The line that says what a figure was measured on."""

import platform
import re

from benchmarks.machine import installed, machine, processor


def test_the_line_names_date_cores_memory_and_versions() -> None:
    line = machine(["pydantic"])
    assert re.match(r"\d{4}-\d\d-\d\d, \d+ cores \(.+\), \d+ GiB, ", line)
    assert f"Python {platform.python_version()}" in line
    assert re.search(r"pydantic 2\.\d+", line)
    assert "\n" not in line


def test_a_library_that_is_not_there_is_said_to_be_missing() -> None:
    assert installed("no-such-library-of-anybody") == "not installed"


def test_a_processor_has_a_name() -> None:
    assert processor().strip()
