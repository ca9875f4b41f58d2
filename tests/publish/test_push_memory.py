"""The memory of a dataset on its way to the Hub and back does not grow with it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "push.py"


def peaks(megabytes: int, tmp_path: Path) -> dict[str, int]:
    command = [sys.executable, str(BENCHMARK), "--megabytes", str(megabytes), "--work", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {line["phase"]: line["peak_mb"] for line in map(json.loads, done.stdout.splitlines())}


@pytest.mark.slow
def test_six_times_the_rows_take_no_more_memory(tmp_path: Path) -> None:
    small, large = peaks(160, tmp_path), peaks(960, tmp_path)
    for phase in ("write", "scan", "push", "push_again", "pull"):  # streaming is the memory of `datasets`
        # a batch of 64 MB is the largest piece, and 160 MB fill it
        assert large[phase] < small[phase] + 120, (phase, small, large)
    assert large["push"] < 250
