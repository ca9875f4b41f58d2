import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from medprefkit.errors import SourceError
from medprefkit.records import Dropped, Example
from medprefkit.sources.image_folder import read_image_folder

OPTIONS: dict[str, Any] = {
    "images": "images",
    "references": "notes.csv",
    "reference_column": "notes",
    "name": "mine",
    "licence": "CC-BY-4.0",
    "prompt": "Describe the image.",
}


@pytest.fixture
def folder(root: Path) -> Path:
    (root / "masks").mkdir()
    Image.new("L", (24, 16), 255).save(root / "masks" / "a_lesion.png")
    for name in ("mask.png", "cut.png"):
        (root / "images" / name).unlink()
    (root / "notes.csv").write_text(
        "filename,notes,patient,license\na.png,Left effusion.,p1,CC0-1.0\nb,Clear.,p1,\nc.png,Mass.,p2,\n",
        encoding="utf-8",
    )
    return root


def read(root: Path, **change: Any) -> list[Example | Dropped]:
    return list(read_image_folder(root, **OPTIONS | change))


def test_rows_images_and_masks_meet_by_stem(folder: Path) -> None:
    outcomes = read(folder, masks="masks", mask_suffix="_lesion", group_column="patient", licence_column="license")
    a, b, c = outcomes
    assert isinstance(a, Example)
    assert isinstance(b, Example)
    assert (a.id, a.group_id, b.group_id, a.reference) == ("mine-a", "mine/p1", "mine/p1", "Left effusion.")
    assert (a.source.licence, b.source.licence) == ("CC0-1.0", "CC-BY-4.0")
    assert [image.path for image in a.images + b.images] == ["images/a.png", "images/b.png"]
    # b has no mask: its texts are good, and the name says which file is missing
    assert [m.path for m in a.lesion_masks + b.lesion_masks] == ["masks/a_lesion.png", "masks/b_lesion.png"]
    assert isinstance(c, Dropped)
    assert c.reason == "image_missing"


def test_answers_are_joined_by_file_and_none_is_lost(folder: Path) -> None:
    answers = [{"file": "b.png", "answer": "Opaque."}, {"file": "z.png", "answer": "Clear."}]
    (folder / "answers.jsonl").write_text("\n".join(map(json.dumps, answers)), encoding="utf-8")
    Image.new("L", (8, 8)).save(folder / "images" / "unnamed.png")
    outcomes = read(folder, answers="answers.jsonl", answer_model="m")
    assert [getattr(outcome, "reason", "kept") for outcome in outcomes] == [
        "kept", "kept", "image_missing", "reference_missing", "image_missing",
    ]  # fmt: skip
    assert [o.answer for o in outcomes if isinstance(o, Example)] == [None, "Opaque."]
    assert "unnamed.png" in outcomes[3].detail  # type: ignore[union-attr]
    assert "'z'" in outcomes[4].detail  # type: ignore[union-attr]


def test_two_answers_for_one_image_are_refused(folder: Path) -> None:
    rows = [{"file": "a.png", "answer": "Yes."}, {"file": "a", "answer": "No."}]
    (folder / "answers.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with pytest.raises(SourceError, match=r"answers\.jsonl, line 2: a second answer for 'a'"):
        read(folder, answers="answers.jsonl")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"images": "none"}, "no such folder"),
        ({"masks": "../"}, "outside the data root"),
        ({"reference_column": "note"}, "no column 'note'; did you mean 'notes'"),
        ({"group_column": "patientid"}, "did you mean 'patient'"),
        ({"references": "images"}, "is a folder"),
    ],
)
def test_a_wrong_setting_is_refused_at_once(folder: Path, change: dict[str, str], said: str) -> None:
    with pytest.raises(SourceError, match=said):
        read_image_folder(folder, **OPTIONS | change)


def test_real_chest_films_with_radiologists_masks(shared: Path) -> None:
    home = "images/cxr_covid_gb"
    outcomes = list(
        read_image_folder(
            shared,
            images=f"{home}/images",
            masks=f"{home}/lesion_masks_fullsize",
            references=f"{home}/metadata.csv",
            reference_column="clinical_notes",
            group_column="patientid",
            licence_column="license",
            name="cxr_covid_gb",
            licence="see each image",
            prompt="Describe the chest X-ray.",
            modality="X-ray",
        )
    )
    examples = [outcome for outcome in outcomes if isinstance(outcome, Example)]
    assert len(examples) == len(outcomes) == 13
    for example in examples:
        with (
            Image.open(shared / example.images[0].path) as image,
            Image.open(shared / example.lesion_masks[0].path) as mask,
        ):
            assert image.size == mask.size, example.id
        assert example.source.licence.startswith("CC BY")
