"""VQA-RAD, MMedPO pairs and IU X-ray: small files of their formats, then the real ones where they are there."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from medprefkit.errors import SourceError
from medprefkit.records import Dropped, Example
from medprefkit.sources.iu_xray import read_iu_xray
from medprefkit.sources.mmedpo import read_mmedpo
from medprefkit.sources.table import Columns, read_table
from medprefkit.sources.vqa_rad import read_vqa_rad


def reasons(outcomes: list[Example | Dropped]) -> list[str]:
    return [getattr(outcome, "reason", "kept") for outcome in outcomes]


def kept(outcomes: list[Example | Dropped]) -> list[Example]:
    return [outcome for outcome in outcomes if isinstance(outcome, Example)]


def pair(pair_id: object = 1, image: str = "a.png", **change: Any) -> dict[str, Any]:
    asked = {"from": "human", "value": change.pop("prompt", "<image>\nIs there a mass?")}
    texts = {
        "conversations": change.pop("chosen", " No"),
        "rejected_conversations": change.pop("rejected", " Yes,  a mass. "),
    }
    turns = {key: [asked, {"from": "gpt", "value": text}] for key, text in texts.items()}
    return {"id": pair_id, "image": image, "weighted_score": 0.9} | turns | change


def write(root: Path, name: str, rows: object) -> str:
    (root / name).write_text(json.dumps(rows), encoding="utf-8")
    return name


def test_vqa_rad_groups_by_image_and_counts_are_text(root: Path) -> None:
    rows = [
        {"qid": 2, "image_name": "a.png", "question": "Are the lungs clear?", "answer": "No"},
        {"qid": 3, "image_name": "a.png", "question": "How many nodules?", "answer": 4},
        {"qid": 3, "image_name": "a.png", "question": "Twice?", "answer": "Yes"},
        {"qid": 4, "image_name": "none.png", "question": "Where?", "answer": "Left"},
        {"qid": None, "image_name": "a.png", "question": "Where?", "answer": "Left"},
    ]
    outcomes = list(read_vqa_rad(root, path=write(root, "questions.json", rows), images="images"))
    assert reasons(outcomes) == ["kept", "kept", "duplicate_id", "image_missing", "row_invalid"]
    first, second = kept(outcomes)
    assert (first.id, second.reference, second.answer) == ("vqa_rad-2", "4", None)
    assert first.group_id == second.group_id == "vqa_rad/a"
    assert first.images[0].path == "images/a.png"


def test_vqa_rad_refuses_another_file_and_a_missing_folder(root: Path) -> None:
    with pytest.raises(SourceError, match=r"no column 'image_name'; did you mean 'img_name'"):
        read_vqa_rad(root, path=write(root, "q.json", [{"qid": 1, "img_name": "a", "question": "q"}]), images="images")
    good = write(root, "q.json", [{"qid": 1, "image_name": "a", "question": "q", "answer": "a"}])
    with pytest.raises(SourceError, match="no such folder"):
        read_vqa_rad(root, path=good, images="pictures")


def test_mmedpo_takes_off_one_space_and_the_image_token_alone(root: Path) -> None:
    rows = [
        pair(),
        pair(2, rejected="\n Yes", prompt="Is there a mass?\n<image>", chosen="No"),
        pair(3, rejected="  two"),
    ]
    first, second, third = kept(list(read_mmedpo(root, path=write(root, "p.json", rows), subset="vqa_rad")))
    assert (first.prompt, first.answer, first.reference) == ("Is there a mass?", "Yes,  a mass. ", "No")
    assert (second.prompt, second.answer, second.reference) == ("Is there a mass?", "\n Yes", "No")
    assert third.answer == " two"
    assert first.images == ()
    assert (first.id, first.group_id, first.answer_model) == ("mmedpo_vqa_rad-1", "vqa_rad/a", "llava-med")


def test_mmedpo_gives_other_pairs_of_an_id_a_number_and_drops_true_copies(root: Path) -> None:
    rows = [
        pair("x"),
        pair("x", rejected=" Perhaps."),
        pair("x"),
        pair("x", rejected=" Perhaps."),
        pair("x", chosen=" Yes"),
    ]
    outcomes = list(read_mmedpo(root, path=write(root, "p.json", rows), subset="vqa_rad"))
    assert reasons(outcomes) == ["kept", "kept", "duplicate_id", "duplicate_id", "kept"]
    assert [example.id for example in kept(outcomes)] == [
        "mmedpo_vqa_rad-x",
        "mmedpo_vqa_rad-x.2",
        "mmedpo_vqa_rad-x.3",
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (pair(conversations="Yes"), "holds a text, not one question"),
        (pair(conversations=[]), "holds 0 turns"),
        (pair(conversations=[{"from": "gpt", "value": "a"}, {"from": "human", "value": "b"}]), "a turn of 'human'"),
        (pair(conversations=[{"from": "human", "value": "?"}, {"from": "gpt", "value": "b"}]), "different prompts"),
        (pair(chosen="Question: Is there a mass?\n-Original Answer: No\n No"), "notes on how the pair was made"),
        (pair(None), "no id"),
    ],
)
def test_mmedpo_drops_what_is_no_pair(root: Path, row: dict[str, Any], said: str) -> None:
    (drop,) = read_mmedpo(root, path=write(root, "p.json", [row]), subset="slake")
    assert isinstance(drop, Dropped)
    assert drop.reason == "row_invalid"
    assert said in drop.detail


def test_mmedpo_iu_pairs_are_reports_of_patients_and_no_derivatives(root: Path) -> None:
    rows = [pair("CXR12_IM-0003", "CXR12_IM-0003/0.png")]
    (example,) = kept(list(read_mmedpo(root, path=write(root, "p.json", rows), subset="iuxray")))
    assert (example.task, example.group_id, example.source.no_derivatives) == ("report", "iu_xray/CXR12", True)


REPORTS = (
    "uid,findings,impression\n"
    '7,"No effusion, no XXXX.",Normal chest.\n'
    "8,,Left effusion.\n"
    "9,,\n"
    "CXR,Clear.\n"
    "11,Clear lungs.,\n"
)


def test_iu_reports_join_findings_and_impression(root: Path) -> None:
    (root / "reports.csv").write_text(REPORTS, encoding="utf-8")
    outcomes = list(read_iu_xray(root, path="reports.csv"))
    assert reasons(outcomes) == ["kept", "kept", "reference_missing", "row_invalid", "kept"]
    assert [e.reference for e in kept(outcomes)] == [
        "No effusion, no XXXX.\nNormal chest.",
        "Left effusion.",
        "Clear lungs.",
    ]
    assert all(example.source.no_derivatives and example.answer is None for example in kept(outcomes))


def test_iu_answers_meet_the_report_of_their_study(root: Path) -> None:
    (root / "reports.csv").write_text(REPORTS, encoding="utf-8")
    rows = [
        {"id": "7", "answer": "Effusion.", "prompt": "Report."},
        {"id": "CXR8_IM-0003", "answer": "Clear."},
        {"id": 9, "answer": "Clear."},
        {"id": "scan7", "answer": "Clear."},
        {"id": "11", "answer": None},
        {"id": "11", "answer": " "},
    ]
    outcomes = list(read_iu_xray(root, path="reports.csv", answers=write(root, "a.json", rows), answer_model="m"))
    assert reasons(outcomes) == ["kept", "kept", "reference_missing", "row_invalid", "answer_missing", "answer_empty"]
    first, second = kept(outcomes)
    assert (first.prompt, first.reference, first.answer) == (
        "Report.",
        "No effusion, no XXXX.\nNormal chest.",
        "Effusion.",
    )
    assert (second.prompt, second.group_id, second.answer_model) == ("Describe the chest X-ray.", "iu_xray/CXR8", "m")


def test_iu_images_are_the_frontal_ones(root: Path) -> None:
    (root / "reports.csv").write_text(REPORTS, encoding="utf-8")
    text = "uid,filename,projection\n7,a.png,Frontal\n7,b.png,Lateral\n8,none.png,Frontal\n"
    (root / "projections.csv").write_text(text, encoding="utf-8")
    outcomes = list(read_iu_xray(root, path="reports.csv", projections="projections.csv", images="images"))
    assert reasons(outcomes) == ["kept", "image_missing", "reference_missing", "row_invalid", "kept"]
    assert [[image.path for image in example.images] for example in kept(outcomes)] == [["images/a.png"], []]
    with pytest.raises(SourceError, match="both or neither"):
        read_iu_xray(root, path="reports.csv", images="images")


@pytest.mark.parametrize(
    ("subset", "file", "n"), [("iuxray", "iuxray", 1489), ("slake", "slake", 4144), ("vqa_rad", "vqa-rad", 1240)]
)
def test_released_mmedpo_pairs(shared: Path, subset: Any, file: str, n: int) -> None:
    outcomes = list(read_mmedpo(shared, path=f"text/mmedpo/{file}_dpo_weighted.json", subset=subset))
    assert len(outcomes) == n
    examples = kept(outcomes)
    assert len(examples) > 0.96 * n
    assert len({example.id for example in examples}) == len(examples)
    assert not any("<image>" in example.prompt or "Candidate Answer" in example.reference for example in examples)
    assert {outcome.reason for outcome in outcomes if isinstance(outcome, Dropped)} <= {"row_invalid"}


def test_real_vqa_rad_questions_find_their_images(shared: Path) -> None:
    outcomes = list(read_vqa_rad(shared, path="text/vqa_rad/questions.json", images="images/vqa_rad"))
    assert Counter(reasons(outcomes)) == {"kept": 1599, "image_missing": 838}
    assert all((shared / image.path).is_file() for example in kept(outcomes) for image in example.images)


def test_real_iu_reports_and_model_reports(shared: Path) -> None:
    outcomes = list(read_iu_xray(shared, path="text/iu_xray_reports/indiana_reports.csv"))
    assert Counter(reasons(outcomes)) == {"kept": 2769, "reference_missing": 21}
    answers = list(
        read_table(shared, path="text/model_reports/reports.json", name="mrg", licence="MIT", columns=Columns(id="id"))
    )
    assert len(kept(answers)) == len(answers) == 200
    assert all(example.answer for example in kept(answers))
