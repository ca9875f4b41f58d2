"""docs/models.md tells the truth: its commands and sections are taken, its numbers are the code's."""

import inspect
import re
import shlex
from pathlib import Path

import yaml

from medprefkit.check.calibration import claims_needed
from medprefkit.check.vlm import VlmChecker
from medprefkit.measure import CALLS, Tool
from medprefkit.models.privacy import key_variable
from medprefkit.recipe import parse_recipe

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/models.md").read_text("utf-8")
HELP = (ROOT / "tests/golden/help.txt").read_text("utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line for language, text in BLOCKS if not language for line in text.splitlines()]


def test_every_command_and_option_exists() -> None:
    inline = re.findall(r"`(medprefkit [^`]+)`", PAGE)
    assert len(COMMANDS) == 5
    for line in [*COMMANDS, *inline]:
        words = shlex.split(line)
        name = " ".join(words[1 : 3 if words[1] == "evaluate" else 2])
        page = HELP.split(f"$ medprefkit {name} --help\n", 1)[1].split("\n$ medprefkit", 1)[0]
        for option in [word for word in words if word.startswith("--")]:
            assert f"{option} " in page, line


def test_the_sections_make_a_recipe() -> None:
    sections = [yaml.safe_load(text) for language, text in BLOCKS if language == "yaml"]
    whole = {
        "recipe_version": "1.0", "name": "n", "publish": {"title": "t"}, "rounds": 3, "calls": "calls.sqlite",
        "sources": [{"format": "vqa_rad", "path": "q.json", "images": "i"}],
        "train": {"model": "Qwen/Qwen2.5-VL-3B-Instruct", "preset": "medpref"},
    }  # fmt: skip
    for section in sections:
        whole |= section
    made = parse_recipe(whole, where="docs")
    assert (made.generate.samples, made.check.use, made.edit.use) == (2, "panel", "model")


def test_the_panel_of_the_command_is_one(tmp_path: Path) -> None:
    words = shlex.split(next(line for line in COMMANDS if "--check panel" in line))
    options = [
        words[k + 1].replace("MODEL", "m, base_url: 'http://localhost:1/v1'")
        for k, w in enumerate(words)
        if w == "--check-with"
    ]
    Tool(detect="lexicon", check="panel", edit="minimal", check_with=options, images=tmp_path)


def test_the_numbers_and_names_are_the_code_s() -> None:
    defaults = inspect.signature(VlmChecker).parameters
    assert (defaults["contradicted_below"].default, defaults["supported_above"].default) == (0.05, 0.95)
    assert "(.05 and .95)" in PAGE
    words = " ".join(PAGE.split())
    assert f"at least {claims_needed(0.95)} false and {claims_needed(0.95)} true claims for a precision of .95" in words
    assert f"{claims_needed(0.75)} of each for .75" in words
    assert f"`{CALLS}`" in PAGE
    assert f"`{key_variable('https://api.example.org/v1')}`" in PAGE
