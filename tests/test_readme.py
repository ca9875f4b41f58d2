"""The README tells the truth: its example runs, its commands and its tree exist."""

import re
from pathlib import Path
from typing import Any

import pytest

from medprefkit import correct
from medprefkit.recipe import shipped_recipes

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)


def test_the_python_example_prints_what_it_says() -> None:
    (code,) = [text for language, text in BLOCKS if language == "python"]
    call = re.search(r"correct\((.*?)\n\)", code, re.DOTALL)
    said = re.search(r"print\(fixed\.chosen\)  # (.*)", code)
    assert call is not None
    assert said is not None
    given: dict[str, Any] = dict(re.findall(r'(\w+)="(.*?)",', call.group(1)))
    assert correct(**given).chosen == said.group(1)


def test_every_command_is_one(tmp_path: Path) -> None:
    help_text = (ROOT / "tests/golden/help.txt").read_text("utf-8")
    named = re.findall(r"^medprefkit ((?:recipes )?\w+)", "\n".join(text for _, text in BLOCKS), re.MULTILINE)
    assert named
    for words in named:
        assert f"$ medprefkit {words} --help" in help_text, words


def test_the_tree_and_the_files_it_names_exist() -> None:
    tree = next(text for _, text in BLOCKS if text.startswith("medprefkit/"))
    for line in tree.splitlines():
        name = line.split()[0]
        path = ROOT / ("medprefkit" if line.startswith("  ") else "") / name
        assert path.exists(), line
    for path in re.findall(r"\]\((\w+/[\w.]+)\)", README):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("target", ["quickstart", "test"])
def test_the_two_commands_are_in_the_makefile(target: str) -> None:
    assert f"make {target} " in README
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert "quickstart" in shipped_recipes()
