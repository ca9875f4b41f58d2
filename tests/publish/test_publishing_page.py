"""The page on publishing tells the truth: its commands and options exist, its limits are the limits."""

import re
from pathlib import Path

from medprefkit.audit.report import LIMITS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "publishing.md").read_text("utf-8")
HELP = (ROOT / "tests" / "golden" / "help.txt").read_text("utf-8")


def test_every_command_and_option_exists() -> None:
    lines = [line for line in PAGE.splitlines() if line.startswith("medprefkit ")]
    assert len(lines) > 8
    for line in lines:
        command = line.split()[1]
        page = HELP.split(f"$ medprefkit {command} --help\n", 1)[1].split("\n$ medprefkit", 1)[0]
        for option in re.findall(r"--[a-z-]+", line):
            assert option in page, line


def test_every_limit_is_told() -> None:
    told: dict[str, float] = {}
    for names, numbers in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ([\d, ]+) % \|", PAGE, re.MULTILINE):
        keys, values = re.findall(r"`(\w+)`", names), [float(number) / 100 for number in numbers.split(",")]
        told |= dict(zip(keys, values if len(values) == len(keys) else values * len(keys), strict=True))
    assert told == LIMITS
