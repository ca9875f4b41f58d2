"""A third party adds a checker with one file: it is listed, a recipe names it, and its edits come out."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from medprefkit import pipeline
from medprefkit.errors import RecipeError
from medprefkit.recipe import parse_recipe
from medprefkit.records import Edits
from medprefkit.store import RunDir

PACKAGE = Path(__file__).parent / "example_plugin"

RECIPE: dict[str, Any] = {
    "recipe_version": "1.0",
    "name": "third",
    "shards": 1,
    "sources": [{"format": "table", "path": "rows.csv", "name": "rows", "licence": "CC0", "columns": {"image": None}}],
    "check": {"use": "laterality", "with": {"score": 0.8}},
    "publish": {"title": "Third party"},
}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the package as an installer leaves it: its file, and its metadata with the entry points."""
    site = tmp_path / "site"
    site.mkdir()
    shutil.copy(PACKAGE / "medprefkit_laterality.py", site)
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text("utf-8"))["project"]
    meta = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = project["entry-points"]
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in named.items()) for group, named in points.items()]
    (meta / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(site))
    return site


def test_it_is_listed_with_its_package(installed: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-m", "medprefkit", "plugins"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    lines = [line.split() for line in shown.splitlines()]
    assert [
        "checkers",
        "laterality",
        "medprefkit-laterality",
        "0.1.0",
        "medprefkit_laterality:LateralityChecker",
    ] in lines
    assert any(line[:3] == ["checkers", "reference", "medprefkit"] for line in lines)


def test_a_recipe_names_it_and_its_verdicts_become_edits(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(
        "prompt,reference,answer\nDescribe the image.,Right pleural effusion.,There is a left pleural effusion.\n"
    )
    recipe = parse_recipe({**RECIPE, "data_root": str(tmp_path)}, where="test")
    pipeline.run(recipe, tmp_path / "run")
    (edits,) = RunDir(tmp_path / "run", n_shards=1).in_order("edit", Edits)
    assert edits.chosen.lower() == "there is a right pleural effusion."


def test_its_options_are_checked_like_our_own(installed: Path) -> None:
    with pytest.raises(RecipeError, match=r"check.with: scor: .*did you mean 'score'"):
        parse_recipe({**RECIPE, "check": {"use": "laterality", "with": {"scor": 1}}}, where="test")
