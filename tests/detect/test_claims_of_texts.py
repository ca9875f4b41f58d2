"""What the detector reads: negation, certainty, lists, normality, glosses, attributes, and references back."""

from itertools import pairwise

import pytest

from medprefkit.detect.lexicon import LexiconDetector
from medprefkit.records import Claim, Passage

DETECTOR = LexiconDetector()


def read(text: str, prompt: str = "Describe the image.") -> tuple[Claim, ...]:
    return DETECTOR([Passage(id="p", prompt=prompt, text=text)])[0]


def one(text: str, concept: str, prompt: str = "Describe the image.") -> Claim:
    found = [claim for claim in read(text, prompt) if claim.concept == concept]
    assert found, f"{concept} not in {[(c.concept, c.span.text) for c in read(text, prompt)]}"
    return found[0]


@pytest.mark.parametrize(
    ("text", "concept", "polarity"),
    [
        ("There is no pneumothorax.", "pneumothorax", "denied"),
        ("No focal consolidation, pleural effusion, or pneumothorax.", "pneumothorax", "denied"),
        ("No focal consolidation, pleural effusion, or pneumothorax.", "pleural_effusion", "denied"),
        ("Cardiomegaly without pleural effusion.", "cardiomegaly", "affirmed"),
        ("Cardiomegaly without pleural effusion.", "pleural_effusion", "denied"),
        ("Negative for pneumothorax.", "pneumothorax", "denied"),
        ("The lungs are free of consolidation.", "consolidation", "denied"),
        ("There is absence of pleural effusion.", "pleural_effusion", "denied"),
        ("Neither effusion nor pneumothorax is present.", "pleural_effusion", "denied"),
        ("Neither effusion nor pneumothorax is present.", "pneumothorax", "denied"),
        ("The image fails to show a pneumothorax.", "pneumothorax", "denied"),
        ("The image does not show any signs of pneumonia.", "pneumonia", "denied"),
        ("The image doesn't show pneumonia.", "pneumonia", "denied"),
        ("A pneumothorax is not seen.", "pneumothorax", "denied"),
        ("Pleural effusions are absent.", "pleural_effusion", "denied"),
        ("Pneumonia has been ruled out.", "pneumonia", "denied"),
        ("No pneumothorax but a small pleural effusion.", "pneumothorax", "denied"),
        ("No pneumothorax but a small pleural effusion.", "pleural_effusion", "affirmed"),
        ("No pneumothorax, and the heart is enlarged.", "cardiomegaly", "affirmed"),
        ("No pneumothorax and the heart is enlarged.", "cardiomegaly", "affirmed"),
        ("No pneumothorax, a small effusion is present.", "pleural_effusion", "affirmed"),
        ("This is a consolidation rather than a mass.", "consolidation", "affirmed"),
        ("This is a consolidation rather than a mass.", "mass", "denied"),
        ("There is no change in the pleural effusion.", "pleural_effusion", "affirmed"),
        ("Unchanged pleural effusion.", "pleural_effusion", "affirmed"),
        ("The heart is not enlarged.", "cardiomegaly", "denied"),
        ("The lungs are not clear.", "lungs_clear", "denied"),
        ("The lungs are clear.", "lungs_clear", "affirmed"),
        ("Pneumonia is not without pleural effusion.", "pleural_effusion", "affirmed"),
        ("there is no pneumothorax . the heart is enlarged .", "cardiomegaly", "affirmed"),
        ("no pneumothorax pleural effusion or focal consolidation", "consolidation", "denied"),
        ("The mediastinal contour is highly abnormal.", "normal_mediastinum", "denied"),
        ("No acute cardiopulmonary process.", "no_acute_cardiopulmonary_process", "affirmed"),
        ("There is an acute cardiopulmonary process.", "no_acute_cardiopulmonary_process", "denied"),
        ("Osseous structures are intact.", "normal_bone", "affirmed"),
        ("The heart is normal in size.", "normal_heart_size", "affirmed"),
        ("Heart size normal and lungs are clear.", "lungs_clear", "affirmed"),
        ("The cardiomediastinal silhouette is within normal limits.", "normal_cardiomediastinum", "affirmed"),
        ("This is a normal chest x-ray.", "normal_study", "affirmed"),
        ("The chest X-ray appears to be normal.", "normal_study", "affirmed"),
        ("There is a pneumothorax which is not large.", "pneumothorax", "affirmed"),
        ("The lungs are not clear and show evidence of infiltrates.", "infiltrate", "affirmed"),
        ("The image does not show a mass; there is consolidation.", "consolidation", "affirmed"),
        ("No acute abnormality such as pneumothorax is seen.", "pneumothorax", "denied"),
        ("The CT scan was performed without the use of contrast.", "with_contrast", "denied"),
        ("No effusion is seen on this CT.", "ct", "affirmed"),
        ("The PICC line and NG tube are absent.", "feeding_tube", "denied"),
    ],
)  # fmt: skip
def test_polarity(text: str, concept: str, polarity: str) -> None:
    assert one(text, concept).polarity == polarity


@pytest.mark.parametrize(
    ("text", "concept", "certainty"),
    [
        ("We cannot exclude pneumonia.", "pneumonia", "uncertain"),
        ("Pneumonia cannot be ruled out.", "pneumonia", "uncertain"),
        ("Possible pneumonia.", "pneumonia", "uncertain"),
        ("The opacity may represent pneumonia.", "pneumonia", "uncertain"),
        ("The opacity may represent pneumonia.", "lung_opacity", "certain"),
        ("Findings suspicious for pneumonia.", "pneumonia", "uncertain"),
        ("Atelectasis versus pneumonia.", "pneumonia", "uncertain"),
        ("Atelectasis versus pneumonia.", "atelectasis", "uncertain"),
        ("Possible pneumonia, cardiomegaly, and several rib fractures.", "cardiomegaly", "certain"),
        ("The image suggests that there is pneumonia.", "pneumonia", "certain"),
        ("No large pleural effusion.", "pleural_effusion", "uncertain"),
        ("There is a pleural effusion.", "pleural_effusion", "certain"),
        ("Clinical correlation to rule out pneumonia.", "pneumonia", "hypothetical"),
    ],
)  # fmt: skip
def test_certainty(text: str, concept: str, certainty: str) -> None:
    claim = one(text, concept)
    assert claim.certainty == certainty
    assert (claim.cue is None) == (certainty == "certain")


def test_no_large_effusion_denies_the_size_only() -> None:
    claim = one("No large pleural effusion or pneumothorax.", "pleural_effusion")
    assert (claim.polarity, claim.certainty) == ("denied", "uncertain")
    assert one("No large pleural effusion or pneumothorax.", "pneumothorax").certainty == "certain"


def test_past_and_family() -> None:
    assert not one("The patient has a history of pneumonia.", "pneumonia").current
    resolved = one("The pleural effusion has resolved.", "pleural_effusion")
    assert (resolved.polarity, resolved.current) == ("denied", False)
    assert one("Family history of lung cancer.", "lung_cancer").experiencer == "other"


def test_new_on_this_study_is_not_denied() -> None:
    assert one("There is a nodule in the lung not seen on prior exams.", "lung_nodule").polarity == "affirmed"


@pytest.mark.parametrize(
    ("text", "concept", "phrase"),
    [
        ("It shows a large left-sided pleural effusion.", "pleural_effusion", "a large left-sided pleural effusion"),
        ("There is evidence of pleural effusion.", "pleural_effusion", "evidence of pleural effusion"),
        ("The heart is significantly enlarged.", "cardiomegaly", "significantly enlarged"),
        ("The mediastinum shows signs of widening.", "mediastinal_widening", "signs of widening"),
        ("There are large areas of consolidation in both lungs.", "consolidation",
         "large areas of consolidation in both lungs"),
        ("There is a mass in the right upper lobe of the lung.", "lung_mass", "a mass"),
        ("A visible pneumothorax on the right side.", "pneumothorax", "A visible pneumothorax on the right side"),
        ("It shows a well-defined, round, and homogenous opacity.", "lung_opacity",
         "a well-defined, round, and homogenous opacity"),
        ("There is no evidence of pneumonia.", "pneumonia", "no evidence of pneumonia"),
        ("The image shows an enlarged heart.", "cardiomegaly", "an enlarged heart"),
        ("The lungs are clear.", "lungs_clear", "clear"),
        ("The heart size is within normal limits.", "normal_heart_size", "within normal limits"),
        ("There is no acute cardiopulmonary process.", "no_acute_cardiopulmonary_process",
         "no acute cardiopulmonary process"),
        ("The image shows a normal heart size.", "normal_heart_size", "a normal heart size"),
        ("There is enlargement of the heart.", "cardiomegaly", "enlargement of the heart"),
        ("It is an anteroposterior (AP) view.", "ap_view", "an anteroposterior (AP)"),
        ("The lungs are filled with prominent nodules.", "lung_nodule", "prominent nodules"),
    ],
)  # fmt: skip
def test_phrase(text: str, concept: str, phrase: str) -> None:
    assert one(text, concept, "Describe this chest x-ray.").phrase.text == phrase


def test_a_list_shares_a_number_and_keeps_its_phrases_apart() -> None:
    claims = read(
        "It shows significant evidence of pneumonia, pleural effusions and pulmonary edema. The heart is enlarged."
    )
    listed = [c for c in claims if c.list_id == 0]
    assert [c.phrase.text for c in listed] == [
        "significant evidence of pneumonia",
        "pleural effusions",
        "pulmonary edema",
    ]
    assert all(a.phrase.end_char <= b.phrase.start_char for a, b in pairwise(listed))
    assert one("It shows pneumonia. The heart is enlarged.", "cardiomegaly").list_id is None


def test_one_predicate_of_two_organs_is_two_claims() -> None:
    claims = read("The heart size and mediastinal contours are normal.")
    assert {c.concept for c in claims} == {"normal_heart_size", "normal_mediastinum"}
    assert {c.phrase.text for c in claims} == {"normal"}


@pytest.mark.parametrize(
    "text",
    [
        "A pleural effusion is an abnormal accumulation of fluid in the pleural space.",
        "A normal chest X-ray typically shows clear lung fields and no signs of pneumonia.",
        "A shift in the mediastinum can be caused by a mass or a pneumothorax.",
        "The coronal plane is a vertical plane that divides the body.",
    ],
)
def test_a_general_sentence_says_nothing_of_the_patient(text: str) -> None:
    claims = read(text)
    assert claims
    assert {c.role for c in claims} == {"definition"}


def test_a_gloss_is_a_definition_and_what_it_explains_is_not() -> None:
    text = "It shows a pneumothorax, which is a collection of air in the pleural space that can cause lung collapse."
    claims = read(text)
    assert (claims[0].span.text, claims[0].role) == ("pneumothorax", "statement")
    assert {c.role for c in claims[1:]} == {"definition"}
    assert one(text, "lung_collapse").role == "definition"
    assert one("There is an effusion, which is located on the left.", "pleural_effusion").role == "statement"
    assert one("A pleural effusion is present.", "pleural_effusion").role == "statement"


@pytest.mark.parametrize(
    ("text", "concept", "attributes"),
    [
        ("A large left-sided pleural effusion.", "pleural_effusion", {("severity", "large"), ("laterality", "left")}),
        ("A nodule in the right upper lobe.", "lung_nodule", {("laterality", "right"), ("location", "upper")}),
        ("A 3.2 cm mass in the lung.", "lung_mass", {("measurement", "32")}),
        ("A 5 x 4 mm nodule in the lung.", "lung_nodule", {("measurement", "5 x 4")}),
        ("Multiple nodules in both lungs.", "lung_nodule", {("quantity", "multiple"), ("laterality", "bilateral")}),
        ("Mild cardiomegaly.", "cardiomegaly", {("severity", "mild")}),
        ("The heart is mildly enlarged.", "cardiomegaly", {("severity", "mild")}),
        ("Bibasilar atelectasis.", "atelectasis", {("laterality", "bilateral"), ("location", "base")}),
        ("A spiculated mass.", "mass", {("descriptor", "spiculated")}),
        ("A stable pleural effusion.", "pleural_effusion", {("temporal", "stable")}),
        ("A lesion in the left frontal lobe.", "lesion", {("laterality", "left"), ("location", "frontal_lobe")}),
        ("The right lung shows consolidation.", "consolidation", {("laterality", "right")}),
        ("In the left lung, there is consolidation.", "consolidation", {("laterality", "left")}),
        ("The left lung is clear.", "lungs_clear", {("laterality", "left")}),
        ("elevation right hemidiaphragm .", "diaphragm_elevation", {("laterality", "right")}),
        ("scarring right midlung .", "scarring", {("laterality", "right"), ("location", "middle")}),
        ("There is no midline shift.", "midline_shift", set()),
        ("A catheter with its tip in the right atrium.", "catheter", {("laterality", "right"), ("location", "atrium")}),
    ],
)  # fmt: skip
def test_attributes(text: str, concept: str, attributes: set[tuple[str, str]]) -> None:
    assert {(a.kind, a.value) for a in one(text, concept).attributes} == attributes


def test_the_span_of_an_attribute_is_its_word_alone() -> None:
    attributes = one("There is a nodule in the right upper lobe.", "lung_nodule").attributes
    assert [a.span.text for a in attributes] == ["right", "upper"]


def test_a_sentence_that_speaks_of_an_earlier_finding_is_its_phrase() -> None:
    claims = read("There is a large mass in the lung. This mass is causing compression of the right lung.")
    back = [c for c in claims if c.refers_to == claims[0].claim_id]
    assert back[0].phrase.text == " This mass is causing compression of the right lung."
    assert claims[0].concept == back[0].concept == "lung_mass"


@pytest.mark.parametrize(
    ("text", "kind", "phrase"),
    [
        ("The heart is enlarged compared to previous studies.", "comparison", " compared to previous studies"),
        ("The image is a chest X-ray taken after the patient had undergone a surgical procedure.", "context",
         " taken after the patient had undergone a surgical procedure"),
        ("A mass is seen. Further imaging is recommended.", "recommendation", " Further imaging is recommended."),
        ("There is a mass, and immediate medical attention is required.", "recommendation",
         ", and immediate medical attention is required"),
        ("There is a mass. As an AI, I cannot see images.", "meta_text", " As an AI, I cannot see images."),
        ("There is no mass. This contradicts the original findings.", "meta_text",
         " This contradicts the original findings."),
        ("The lungs are clear. The patient has a known history of heavy smoking.", "context",
         " The patient has a known history of heavy smoking."),
        ("She underwent a mastectomy in May. The lungs are clear.", "context", "She underwent a mastectomy in May."),
        ("The lungs are clear. Surgical drainage should be considered.", "recommendation",
         " Surgical drainage should be considered."),
        ("The lungs are clear. Feel free to ask any further questions.", "meta_text",
         " Feel free to ask any further questions."),
        ("The lungs are clear. Keep in mind that only a trained physician can verify it.", "meta_text",
         " Keep in mind that only a trained physician can verify it."),
    ],
)  # fmt: skip
def test_asides_are_stretches_that_may_be_deleted(text: str, kind: str, phrase: str) -> None:
    assert [c.phrase.text for c in read(text) if c.kind == kind] == [phrase]


def test_xxxx_is_nothing_and_is_not_what_stands_beside_it() -> None:
    assert read("XXXX XXXX is xxxx .") == ()
    assert read("the pulmonary xxxx are normal .") == ()
    assert [c.concept for c in read("the heart and pulmonary xxxx are normal .")] == ["normal_heart"]


def test_what_an_aside_names_is_no_statement() -> None:
    claims = read("There is a nodule. This contradicts the original findings, which state that the lungs are clear.")
    assert [(c.kind, c.role) for c in claims] == [
        ("finding", "statement"),
        ("meta_text", "statement"),
        ("normality", "definition"),
    ]


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("A mass in the right breast.", "breast_mass"),
        ("A fracture of the left third rib.", "rib_fracture"),
        ("An abscess in the brain.", "brain_abscess"),
        ("A lesion in the liver.", "lesion"),
        ("Edema of the lungs.", "pulmonary_edema"),
    ],
)
def test_a_finding_takes_the_form_of_its_place(text: str, concept: str) -> None:
    assert one(text, concept).anatomy


def test_a_finding_without_a_place_has_no_anatomy() -> None:
    assert one("No pneumothorax.", "pneumothorax").anatomy == ()


def test_an_abbreviation_that_the_text_defines_stands_for_its_long_form() -> None:
    pytest.importorskip("scispacy")
    text = "There is subcutaneous emphysema (SCE). No other SCE is seen."
    assert [c.span.text for c in read(text)] == ["subcutaneous emphysema", "SCE"]


@pytest.mark.parametrize(
    ("text", "concepts"),
    [
        (
            "The lungs are clear, the heart and mediastinum are normal, and no clips or masses are seen.",
            ["lungs_clear", "normal_heart", "normal_mediastinum", "surgical_clips", "mass"],
        ),
        ("Lungs clear. Trachea midline.", ["lungs_clear", "trachea_midline"]),
        ("Normal size and configuration of the cardiac silhouette.", ["normal_heart_size"]),
        ("well-expanded and clear lungs .", ["lungs_expanded", "lungs_clear"]),
        ("A normal brain MRI.", ["normal_study", "mri"]),
    ],
)
def test_subjects_and_predicates_meet(text: str, concepts: list[str]) -> None:
    assert [c.concept for c in read(text)] == concepts


def test_what_was_removed_is_not_there() -> None:
    claim = one("Interval removal of the right PICC.", "central_line")
    assert (claim.polarity, claim.current) == ("denied", False)
