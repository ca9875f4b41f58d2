"""The checker on claims that the detector reads: rules are tested on sentences rather than on field values."""

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medprefkit.check.reference import ReferenceChecker
from medprefkit.detect.lexicon import LexiconDetector
from medprefkit.records import Answer, Case, Claims, Example, Passage, Source, Task, Verdict

SOURCE = Source(name="test", licence="CC0")


@cache
def detector() -> LexiconDetector:
    return LexiconDetector()


def read(answer: str, reference: str, prompt: str = "Describe the image.", task: Task = "report") -> Case:
    example = Example(id="x", group_id="x", task=task, prompt=prompt, reference=reference, source=SOURCE)
    of_answer, of_reference = detector()(
        [Passage(id="x", prompt=prompt, text=answer), Passage(id="x", prompt=prompt, text=reference)]
    )
    return Case(
        example=example,
        answer=Answer(id="x", text=answer, model="m"),
        claims=Claims(id="x", answer=of_answer, reference=of_reference),
    )


def ruled(answer: str, reference: str, concept: str, **options: object) -> Verdict:
    """Return the verdict on the answer's first statement about the concept."""
    closed = bool(options.pop("closed_world", False))
    case = read(answer, reference, **options)  # type: ignore[arg-type]  # prompt and task
    (verdicts,) = ReferenceChecker(closed_world=closed)([case])
    assert case.claims is not None
    for claim, verdict in zip(case.claims.answer, verdicts, strict=True):
        if claim.concept == concept:
            return verdict
    raise AssertionError(f"no claim about {concept} in {[c.concept for c in case.claims.answer]}")


@pytest.mark.parametrize(
    ("answer", "reference", "concept", "label", "rule"),
    [
        ("There is a pleural effusion.", "No pleural effusion.", "pleural_effusion", "contradicted", "same_concept"),
        ("There is a pleural effusion.", "Small pleural effusion.", "pleural_effusion", "supported", "same_concept"),
        (
            "There is no pleural effusion.",
            "Small pleural effusion.",
            "pleural_effusion",
            "contradicted",
            "same_concept",
        ),
        # the broad denies the narrow, and the narrow says nothing of the broad
        ("There is pneumonia.", "No lung opacity.", "pneumonia", "contradicted", "broader_denied"),
        ("There is an opacity.", "No pneumonia.", "lung_opacity", "unverifiable", "reference_silent"),
        ("There is an opacity.", "There is pneumonia.", "lung_opacity", "supported", "narrower_affirmed"),
        ("There is pneumonia.", "There is an opacity.", "pneumonia", "supported", "kin_affirmed"),
        # kin that are one picture deny each other, cause and effect do not
        ("There is an infiltrate.", "No focal consolidation.", "infiltrate", "contradicted", "kin_denied"),
        ("There is cardiomegaly.", "No pericardial effusion.", "cardiomegaly", "unverifiable", "reference_silent"),
        # normality
        ("There is a consolidation.", "The lungs are clear.", "consolidation", "contradicted", "normality_denies"),
        (
            "There is a pleural effusion.",
            "The lungs are clear.",
            "pleural_effusion",
            "unverifiable",
            "reference_silent",
        ),
        ("The heart is enlarged.", "Heart size is normal.", "cardiomegaly", "contradicted", "normality_denies"),
        ("The heart is normal.", "Mild cardiomegaly.", "normal_heart", "contradicted", "finding_excludes_normality"),
        # place
        (
            "Consolidation in the right lung.",
            "The left lung is clear.",
            "consolidation",
            "unverifiable",
            "reference_silent",
        ),
        (
            "Consolidation in the left lung.",
            "The left lung is clear.",
            "consolidation",
            "contradicted",
            "normality_denies",
        ),
        (
            "No left pleural effusion.",
            "Small right pleural effusion.",
            "pleural_effusion",
            "unverifiable",
            "reference_silent",
        ),
        # a restricted denial
        (
            "There is a small pleural effusion.",
            "No large pleural effusion.",
            "pleural_effusion",
            "unverifiable",
            "reference_silent",
        ),
        (
            "There is a large pleural effusion.",
            "No large pleural effusion.",
            "pleural_effusion",
            "contradicted",
            "same_concept",
        ),
        # doubt
        ("There is pneumonia.", "Possible pneumonia.", "pneumonia", "unverifiable", "reference_uncertain"),
        ("There is a pneumothorax.", "The heart is normal.", "pneumothorax", "unverifiable", "reference_silent"),
        (
            "There is a consolidation.",
            "The lungs are clear. There is a left consolidation.",
            "consolidation",
            "unverifiable",
            "reference_contradicts_itself",
        ),
        (
            "There is a pleural effusion.",
            "No pleural effusion. Small right pleural effusion.",
            "pleural_effusion",
            "unverifiable",
            "reference_contradicts_itself",
        ),
    ],
)
def test_existence(answer: str, reference: str, concept: str, label: str, rule: str) -> None:
    verdict = ruled(answer, reference, concept)
    assert (verdict.label, verdict.rule) == (label, rule)


@pytest.mark.parametrize(
    ("answer", "reference", "concept", "error", "target", "truth"),
    [
        (
            "There is a left pleural effusion.",
            "Small right pleural effusion.",
            "pleural_effusion",
            "wrong_laterality",
            "left",
            "right",
        ),
        (
            "There is a large pleural effusion.",
            "Small pleural effusion.",
            "pleural_effusion",
            "wrong_severity",
            "large",
            "small",
        ),
    ],
)
def test_attributes(answer: str, reference: str, concept: str, error: str, target: str, truth: str) -> None:
    verdict = ruled(answer, reference, concept)
    assert verdict.label == "contradicted"
    assert verdict.error_type == error
    assert verdict.target is not None
    assert verdict.target.text == target
    assert verdict.truth == truth


@pytest.mark.parametrize(
    ("answer", "reference", "concept"),
    [
        ("There is a left pleural effusion.", "Bilateral pleural effusions.", "pleural_effusion"),
        ("There is a large pleural effusion.", "Mild pleural effusion.", "pleural_effusion"),
        ("There is a left pleural effusion.", "Small left and large right pleural effusions.", "pleural_effusion"),
    ],
)
def test_less_detail_and_unlike_scales_are_no_errors(answer: str, reference: str, concept: str) -> None:
    assert ruled(answer, reference, concept).label != "contradicted"


def vqa(answer: str, reference: str, prompt: str) -> list[tuple[str, str, str]]:
    """Return (words, error type or label, truth) of what is ruled."""
    case = read(answer, reference, prompt, "vqa")
    (verdicts,) = ReferenceChecker()([case])
    return [
        (v.target.text if v.target else "", v.error_type or v.label, v.truth)
        for v in verdicts
        if v.label == "contradicted"
    ]


def test_a_yes_and_its_body_are_ruled_alike() -> None:
    found = vqa("Yes, there is a pneumothorax.", "No", "Is there a pneumothorax?")
    assert found == [("Yes", "false_finding", "No"), ("a pneumothorax", "false_finding", "no")]
    found = vqa("No, there is no pneumothorax.", "Yes", "Is there a pneumothorax?")
    assert [error for _, error, _ in found] == ["false_negation", "false_negation"]


def test_a_body_that_is_right_makes_the_yes_a_self_contradiction() -> None:
    assert vqa("Yes, this is an X-ray image.", "No", "Is this a CT image?") == [("Yes", "self_contradiction", "No")]


def test_another_plane_than_the_one_asked_about() -> None:
    found = vqa("No, this is a coronal section.", "Yes", "Is this a transverse section?")
    assert [error for _, error, _ in found] == ["wrong_view_plane", "wrong_view_plane"]
    assert found[1][2] == "transverse"


@pytest.mark.parametrize(
    ("prompt", "answer", "reference", "error", "truth"),
    [
        ("What modality is used?", "This is a CT scan.", "MRI", "wrong_modality", "MRI"),
        ("What is the plane?", "The plane is coronal.", "axial", "wrong_view_plane", "axial"),
        (
            "What is the largest organ in the picture?",
            "The largest organ is the spleen.",
            "Liver",
            "wrong_organ",
            "Liver",
        ),
        ("What is the size of the mass?", "The mass is 13 x 10 x 10 cm.", "5 cm", "wrong_measurement", "5 cm"),
    ],
)
def test_slots(prompt: str, answer: str, reference: str, error: str, truth: str) -> None:
    assert [(e, t) for _, e, t in vqa(answer, reference, prompt)] == [(error, truth)]


@pytest.mark.parametrize(
    ("prompt", "answer", "reference"),
    [
        ("What modality is used?", "This is a computed tomography scan.", "CT"),
        ("What modality is used?", "This is an MRI.", "MRI T2-weighted"),
        ("What is the plane?", "The plane is transverse.", "Axial"),
        ("What is the plane?", "The plane is axial.", "Transverse Plane (Axial)"),
        ("What organ is this?", "This is the lung.", "Right upper lobe of the lung"),
    ],
)
def test_the_same_slot_in_other_words_is_right(prompt: str, answer: str, reference: str) -> None:
    assert vqa(answer, reference, prompt) == []


def test_context_and_advice_are_for_no_image_to_show() -> None:
    verdict = ruled("The image was taken after surgery. Lungs are clear.", "Lungs are clear.", "context")
    assert (verdict.error_type, verdict.truth, verdict.evidence) == ("unsupported_context", "", "")
    verdict = ruled("Lungs are clear. Further evaluation is recommended.", "Lungs are clear.", "recommendation")
    assert verdict.error_type == "recommendation"


def test_the_closed_world_is_off_unless_asked_for() -> None:
    answer, reference = "There is a pneumothorax.", "The heart is normal."
    assert ruled(answer, reference, "pneumothorax").label == "unverifiable"
    closed = ruled(answer, reference, "pneumothorax", closed_world=True)
    assert (closed.label, closed.rule, closed.error_type) == ("contradicted", "closed_world", "false_finding")
    asked = "Is the heart normal?"
    assert ruled(answer, "Yes", "pneumothorax", closed_world=True, prompt=asked, task="vqa").label == "unverifiable"


def test_definitions_are_not_judged() -> None:
    answer = "There is an effusion. A pleural effusion is an abnormal accumulation of fluid in the pleural space."
    case = read(answer, "No pleural effusion.")
    (verdicts,) = ReferenceChecker()([case])
    assert case.claims is not None
    glosses = [v for c, v in zip(case.claims.answer, verdicts, strict=True) if c.role == "definition"]
    assert glosses
    assert all(v.rule == "definition" for v in glosses)


def test_a_case_without_claims_has_no_verdicts() -> None:
    example = Example(id="x", group_id="x", task="report", prompt="p", reference="r", source=SOURCE)
    assert ReferenceChecker()([Case(example=example)]) == [()]


FINDINGS = ("pleural effusion", "pneumothorax", "consolidation", "cardiomegaly", "opacity", "nodule", "rib fracture")
SAYINGS = ("There is a {}. ", "There is no {}. ", "Possible {}. ", "Large left {}. ", "The {} has resolved. ")


@st.composite
def reports(draw: st.DrawFn) -> str:
    pairs = st.tuples(st.sampled_from(SAYINGS), st.sampled_from(FINDINGS))
    text = "".join(saying.format(finding) for saying, finding in draw(st.lists(pairs, min_size=1, max_size=4)))
    return draw(st.sampled_from(("", "Lungs are clear. ", "Heart size is normal. "))) + text.strip()


@given(reports(), reports())
@settings(max_examples=30, deadline=None)
def test_verdicts_are_in_order_quote_the_reference_and_point_into_the_answer(answer: str, reference: str) -> None:
    case = read(answer, reference)
    (verdicts,) = ReferenceChecker()([case])
    assert case.claims is not None
    assert [v.claim_id for v in verdicts] == [c.claim_id for c in case.claims.answer]
    for verdict in verdicts:
        assert verdict.evidence in reference
        if verdict.target is not None:
            assert answer[verdict.target.start_char : verdict.target.end_char] == verdict.target.text
    assert ReferenceChecker()([case]) == [verdicts]


@given(reports())
@settings(max_examples=25, deadline=None)
def test_a_text_does_not_contradict_itself_by_comparison(text: str) -> None:
    """A reference that is of one mind supports its own words; one that is not decides nothing."""
    (verdicts,) = ReferenceChecker()([read(text, text)])
    assert [v.rule for v in verdicts if v.label == "contradicted"] == []


IU = Path(__file__).parents[3] / "shared" / "data" / "text" / "iu_xray_reports" / "indiana_reports.csv"


@pytest.mark.skipif(not IU.is_file(), reason="the IU X-ray reports are not beside the repository")
def test_real_reports_do_not_contradict_themselves() -> None:
    import csv

    with IU.open(encoding="utf-8", newline="") as file:
        rows = [row for row, _ in zip(csv.DictReader(file), range(60), strict=False)]
    texts = [text for row in rows if (text := f"{row['findings']} {row['impression']}".strip())]
    for verdicts in ReferenceChecker()([read(text, text) for text in texts]):
        assert [v for v in verdicts if v.label == "contradicted" and v.evidence] == []
