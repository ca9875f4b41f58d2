import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from medprefkit.lab.dictation import dictate_report
from medprefkit.lab.phantom import draw_case, draw_phantoms
from medprefkit.lab.questions import dictate_answer
from medprefkit.lab.radiograph import SIZE_PX, Finding, expose
from medprefkit.lab.sentences import KINDS, NAMES, Dictation
from medprefkit.records import Example
from medprefkit.sources.phantom import read_phantom

FINDINGS = [
    Finding(kind="nodule", side="right", lobe="upper", size_cm=1.5),
    Finding(kind="nodule", side="left", lobe="lower", size_cm=2.5),
    Finding(kind="mass", side="right", lobe="middle", size_cm=4.0),
    Finding(kind="mass", side="left", lobe="upper", size_cm=5.0),
    Finding(kind="consolidation", side="right", lobe="lower", severity="large"),
    Finding(kind="consolidation", side="left", lobe="upper", severity="small"),
    Finding(kind="pleural_effusion", side="left", severity="small"),
    Finding(kind="pleural_effusion", side="right", severity="large"),
    Finding(kind="pneumothorax", side="right", severity="small"),
    Finding(kind="pneumothorax", side="left", severity="large"),
    Finding(kind="cardiomegaly", severity="moderate"),
]


def name_of(finding: Finding) -> str:
    return f"{finding.side}-{finding.kind}-{finding.severity}"


@pytest.mark.parametrize("finding", FINDINGS, ids=name_of)
def test_a_mask_holds_what_the_finding_changes_and_nothing_else(finding: Finding) -> None:
    film, healthy = expose(5, [finding]), expose(5, [])
    (mask,) = film.masks
    change = np.abs(film.image.astype(int) - healthy.image.astype(int))
    assert film.image.shape == mask.shape == (SIZE_PX, SIZE_PX)
    # below 2 grey levels a change is not in the mask; rounding and grain, which grows with grey, add at most 2
    assert change[~mask].max() <= 4
    assert change[mask].mean() > 4
    assert 20 < mask.sum() < 0.3 * mask.size


@pytest.mark.parametrize("finding", [f for f in FINDINGS if f.side], ids=name_of)
@pytest.mark.parametrize("patient", [1, 2])
def test_the_patients_left_is_on_the_right_of_the_image(finding: Finding, patient: int) -> None:
    (mask,) = expose(patient, [finding]).masks
    columns = np.nonzero(mask)[1]
    on_the_right_of_the_image = columns > SIZE_PX / 2
    assert on_the_right_of_the_image.mean() == pytest.approx(1.0 if finding.side == "left" else 0.0, abs=0.02)


def test_findings_darken_and_whiten_as_they_should() -> None:
    healthy = expose(3, []).image.astype(int)
    for finding in FINDINGS:
        film = expose(3, [finding])
        change = (film.image.astype(int) - healthy)[film.masks[0]].mean()
        assert (change < 0) == (finding.kind == "pneumothorax"), finding


def test_larger_findings_take_more_of_the_film() -> None:
    for kind in ("consolidation", "pleural_effusion", "pneumothorax", "cardiomegaly"):
        side = None if kind == "cardiomegaly" else "right"
        lobe = "lower" if kind == "consolidation" else None
        areas = [
            expose(4, [Finding(kind=kind, severity=severity, side=side, lobe=lobe)]).masks[0].sum()
            for severity in ("small", "moderate", "large")
        ]
        assert areas == sorted(areas), kind


def test_the_heart_lies_left_and_the_right_dome_stands_higher() -> None:
    image = np.mean([expose(patient, []).image for patient in range(6)], axis=0)
    heart = image[140:165, 40:216] > 140
    columns = np.nonzero(heart)[1] + 40
    assert columns.mean() > SIZE_PX / 2 + 4
    domes = [np.argmax(image[100:, x] > 165) for x in (70, 186)]
    assert domes[0] < domes[1]


def test_a_finding_that_lies_on_a_side_needs_one() -> None:
    with pytest.raises(ValueError, match="nodule lies on a side"):
        expose(1, [Finding(kind="nodule", size_cm=2.0)])


def test_the_same_seed_draws_the_same_bytes_and_more_cases_change_none(tmp_path: Path) -> None:
    for folder, n in (("one", 3), ("two", 3), ("more", 4)):
        draw_phantoms(tmp_path / folder, n, seed=7)
    draw_phantoms(tmp_path / "other", 3, seed=8)

    def content(folder: str) -> dict[str, bytes]:
        files = (path for path in (tmp_path / folder).rglob("*") if path.is_file())
        return {str(path.relative_to(tmp_path / folder)): path.read_bytes() for path in files}

    one = content("one")
    assert one == content("two")
    assert one != content("other")
    more = content("more")
    assert {name: more[name] for name in one if name != "cases.jsonl"} == {
        n: b for n, b in one.items() if n != "cases.jsonl"
    }
    assert more["cases.jsonl"].startswith(one["cases.jsonl"])


def test_every_drawn_case_is_read_with_its_masks(tmp_path: Path) -> None:
    draw_phantoms(tmp_path, 6, seed=1)
    outcomes = list(read_phantom(tmp_path))
    rows = [json.loads(line) for line in (tmp_path / "cases.jsonl").read_text("utf-8").splitlines()]
    assert len(outcomes) == len(rows) == 6
    for outcome, row in zip(outcomes, rows, strict=True):
        assert isinstance(outcome, Example)
        assert (outcome.id, outcome.answer, outcome.task) == (row["id"], row["answer"], row["task"])
        assert len(outcome.lesion_masks) == len(row["truth"]["findings"])
        for ref in (*outcome.images, *outcome.lesion_masks):
            with Image.open(tmp_path / ref.path) as picture:
                assert (picture.size, picture.mode, picture.format) == ((SIZE_PX, SIZE_PX), "L", "PNG")


def test_a_case_is_found_again_from_its_truth() -> None:
    case, image, masks = draw_case(3, "phantom-00001")
    again = expose(case.film_seed, case.findings)
    assert np.array_equal(again.image, image)
    assert all(np.array_equal(a, b) for a, b in zip(again.masks, masks, strict=True))


def dictations(seed: int) -> tuple[tuple[Finding, ...], Dictation, Dictation]:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(0, 3))
    chosen = [FINDINGS[int(i)] for i in rng.permutation(len(FINDINGS))]
    kinds: dict[str, Finding] = {}
    for finding in chosen:
        if len(kinds) < n:
            kinds.setdefault(finding.kind, finding)
    findings = tuple(kinds.values())
    return findings, dictate_report(findings, rng), dictate_answer(findings, rng)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**31))
def test_planted_errors_are_where_they_say_and_references_are_true(seed: int) -> None:
    findings, report, question = dictations(seed)
    for said in (report, question):
        ends = 0
        for error in said.planted:
            wrong = said.answer[error.start_char : error.end_char]
            assert error.start_char >= ends
            assert wrong
            assert wrong != error.truth
            ends = error.end_char
        assert said.answer == said.answer.strip()
        assert "  " not in said.answer
    reference = report.reference.lower()
    for finding in findings:
        if finding.kind != "cardiomegaly":
            assert NAMES[finding.kind] in reference
            assert str(finding.side) in reference
        if finding.lobe:
            assert f"{finding.side} {finding.lobe} lobe" in reference
        if finding.size_cm:
            assert f"{finding.size_cm:.1f} cm" in reference
    for kind in set(KINDS) - {finding.kind for finding in findings} - {"cardiomegaly"}:
        assert any(f"{no}" in reference and NAMES[kind] in reference for no in ("no ", "clear")), (kind, reference)


def test_all_kinds_of_error_occur_and_some_answers_are_right() -> None:
    said = [dictation for seed in range(400) for dictation in dictations(seed)[1:]]
    types = Counter(error.error_type for dictation in said for error in dictation.planted)
    assert set(types) == {
        "false_finding", "false_negation", "wrong_laterality", "wrong_location", "wrong_severity", "wrong_measurement",
        "recommendation", "wrong_temporal",
    }  # fmt: skip
    assert min(types.values()) >= 5
    right = [dictation for dictation in said if not dictation.planted and not dictation.omitted]
    assert 0.12 < len(right) / len(said) < 0.35
