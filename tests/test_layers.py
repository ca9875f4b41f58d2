"""The arrows of the house: who may import whom. A stage that needs another stage's work reads its records."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "medprefkit"
STAGES = {
    "sources", "generate", "detect", "check", "edit", "corrupt",
    "build", "publish", "audit", "view", "train", "evaluate",
}  # fmt: skip
NOUNS = {"records", "protocols", "errors", "seeds", "offsets"}
ONLY_HERE = {
    "spacy": {"detect"},
    "scispacy": {"detect"},
    "ray": {"engines"},
    "albumentations": {"corrupt"},
    "cv2": {"images", "burned_in", "imaging", "segment", "corrupt", "lab"},
    "diffusers": {"corrupt"},
    "torch": {"train", "lab", "models", "segment", "generate", "check", "edit", "evaluate", "corrupt"},
    "openai": {"models"},
    "pydicom": {"imaging"},
    "nibabel": {"imaging"},
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_rooms(path: Path) -> set[str]:
    return {parts[1] for name in imports(path) if (parts := name.split("."))[0] == "medprefkit" and len(parts) > 1}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def files(room: str) -> list[Path]:
    found = sorted((PACKAGE / room).rglob("*.py")) or [PACKAGE / f"{room}.py"]
    assert found[0].exists(), room
    return found


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_imports_no_other_stage_and_no_conductor(stage: str) -> None:
    for path in sorted((PACKAGE / stage).rglob("*.py")):
        rooms = imported_rooms(path)
        if stage == "train":
            rooms -= {"build"}  # the column contract, `build.features`, is what training reads
            assert {n for n in imports(path) if n.startswith("medprefkit.build")} <= _features(path), path
        assert rooms & STAGES <= {stage}, path
        assert not rooms & {"pipeline", "cli", "recipe", "store", "engines"}, path


def _features(path: Path) -> set[str]:
    return {n for n in imports(path) if n.startswith("medprefkit.build.features")} | {"medprefkit.build"}


def test_the_injector_knows_no_stage_that_it_measures() -> None:
    for path in files("inject"):
        assert imported_rooms(path) <= NOUNS | {"inject", "lexicon"}, path


def test_formats_of_images_know_no_stage_and_are_entered_by_their_door() -> None:
    for path in files("imaging"):
        assert imported_rooms(path) <= NOUNS | {"imaging", "annotations"}, path
    for path in files("segment"):
        assert imported_rooms(path) <= NOUNS | {"segment", "imaging", "annotations", "models"}, path


@pytest.mark.parametrize("noun", sorted(NOUNS))
def test_nouns_and_verbs_import_only_each_other(noun: str) -> None:
    for path in files(noun):
        assert imported_rooms(path) <= NOUNS, path


def test_nothing_imports_the_command_line_and_it_imports_no_stage_at_the_top() -> None:
    for path in PACKAGE.rglob("*.py"):
        if room_of(path) not in {"cli", "__main__"}:
            assert "cli" not in imported_rooms(path), path


@pytest.mark.parametrize("library", sorted(ONLY_HERE))
def test_a_heavy_library_stays_in_its_room(library: str) -> None:
    for path in PACKAGE.rglob("*.py"):
        if library in {name.split(".")[0] for name in imports(path)}:
            assert room_of(path) in ONLY_HERE[library], path


def test_no_house_has_a_junk_room() -> None:
    junk = {"utils", "util", "base", "common", "core", "manager", "helpers", "misc"}
    assert not {path.stem for path in PACKAGE.rglob("*")} & junk


def test_at_most_two_folders_deep() -> None:
    assert all(len(path.relative_to(PACKAGE).parts) <= 2 for path in PACKAGE.rglob("*.py"))
