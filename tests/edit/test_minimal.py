import pytest
from by_hand import Written

from medprefkit.edit.minimal import MinimalEditor
from medprefkit.errors import RecipeError
from medprefkit.offsets import apply_edits
from medprefkit.records import AttributeKind, Dropped, Edit


def edits_of(written: Written, **options: object) -> tuple[Edit, ...]:
    outcome = MinimalEditor(**options)([written.case()])[0]  # type: ignore[arg-type]  # the editor's own keywords
    assert not isinstance(outcome, Dropped), outcome.detail
    return outcome


def chosen(written: Written) -> str:
    return apply_edits(written.text, edits_of(written)).text


def refused(written: Written) -> str:
    outcome = MinimalEditor()([written.case()])[0]
    assert isinstance(outcome, Dropped)
    return f"{outcome.reason}: {outcome.detail}"


def test_an_answer_without_errors_gets_no_edits() -> None:
    w = Written("There is a pleural effusion.")
    w.silent("a pleural effusion", "pleural effusion")
    assert edits_of(w) == ()


# --- affirmed and not there -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "phrase", "words", "expected", "span"),
    [
        (
            "There is a large left-sided pleural effusion.", "a large left-sided pleural effusion", "pleural effusion",
            "There is no pleural effusion.", "a large left-sided pleural effusion",
        ),
        (
            "The X-ray shows multiple large nodules in both lungs.", "multiple large nodules in both lungs", "nodules",
            "The X-ray shows no nodules in either lung.", "multiple large nodules in both lungs",
        ),
        (
            "There is clear evidence of a left-sided pneumothorax.", "a left-sided pneumothorax", "pneumothorax",
            "There is no evidence of a pneumothorax.", "clear evidence of a left-sided pneumothorax",
        ),
        (
            "It shows the presence of a foreign body.", "a foreign body", "foreign body",
            "It shows no foreign body.", "the presence of a foreign body",
        ),
        (
            "There is a small amount of pleural effusion present.", "pleural effusion", "pleural effusion",
            "There is no pleural effusion present.", "a small amount of pleural effusion",
        ),
        (
            "Multiple nodules are seen.", "Multiple nodules", "nodules",
            "No nodules are seen.", "Multiple nodules",
        ),
        (
            "There is a visible pneumothorax on the right side.", "a visible pneumothorax on the right side",
            "pneumothorax", "There is no pneumothorax.", "a visible pneumothorax on the right side",
        ),
        (
            "The image shows a large, irregular mass in the right upper lobe.", "a large, irregular mass", "mass",
            "The image shows no mass in the right upper lobe.", "a large, irregular mass",
        ),
        (
            "The image shows an enlarged heart.", "an enlarged heart", "enlarged heart",
            "The image shows a normal-sized heart.", "an enlarged heart",
        ),
        ("Mild cardiomegaly.", "Mild cardiomegaly", "cardiomegaly", "No cardiomegaly.", "Mild cardiomegaly"),
    ],
)  # fmt: skip
def test_an_existence_flip_spans_the_noun_phrase(text: str, phrase: str, words: str, expected: str, span: str) -> None:
    w = Written(text)
    w.wrong("false_finding", "no", phrase, words)
    assert chosen(w) == expected
    assert edits_of(w)[0].claim_span.text == span


@pytest.mark.parametrize(
    ("text", "phrase", "words", "truth", "expected", "span"),
    [
        (
            "The heart is significantly enlarged.", "significantly enlarged", "enlarged", "normal",
            "The heart is normal in size.", "significantly enlarged",
        ),
        (
            "The heart size is markedly enlarged.", "markedly enlarged", "enlarged", "within normal limits",
            "The heart size is within normal limits.", "markedly enlarged",
        ),
        ("The mediastinum is widened.", "widened", "widened", "no", "The mediastinum is not widened.", "widened"),
        (
            "The aorta appears to be dilated.", "dilated", "dilated", "unremarkable",
            "The aorta appears to be unremarkable.", "dilated",
        ),
    ],
)  # fmt: skip
def test_a_predicate_gets_its_opposite(
    text: str, phrase: str, words: str, truth: str, expected: str, span: str
) -> None:
    w = Written(text)
    w.wrong("false_finding", truth, phrase, words)
    assert chosen(w) == expected
    assert edits_of(w)[0].claim_span.text == span


def test_lungs_filled_with_something_are_clear_of_it() -> None:
    w = Written("The lungs are filled with focal airspace disease.")
    w.wrong("false_finding", "no", "focal airspace disease", "airspace disease")
    assert chosen(w) == "The lungs are clear of focal airspace disease."


def test_a_list_wrong_as_a_whole_is_one_edit() -> None:
    w = Written("It shows significant focal consolidation, pleural effusion, and pneumothoraces.")
    w.wrong("false_finding", "no", "significant focal consolidation", "focal consolidation", list_id=1)
    w.wrong("false_finding", "no", "pleural effusion", list_id=1)
    w.wrong("false_finding", "no", "pneumothoraces", list_id=1)
    assert chosen(w) == "It shows no focal consolidation, pleural effusion, or pneumothoraces."
    (edit,) = edits_of(w)
    assert edit.claim_span.text == "significant focal consolidation, pleural effusion, and pneumothoraces"
    assert edit.claim_ids == ("c0", "c1", "c2")


def test_two_in_a_list_are_joined_by_or() -> None:
    w = Written("There is a large pleural effusion and signs of pneumothorax.")
    w.wrong("false_finding", "no", "a large pleural effusion", "pleural effusion", list_id=1)
    w.wrong("false_finding", "no", "pneumothorax", list_id=1)
    assert chosen(w) == "There is no pleural effusion or signs of pneumothorax."


def test_with_joins_like_and() -> None:
    w = Written("It shows extensive pneumonia with visible consolidation in both lung fields.")
    w.wrong("false_finding", "no", "extensive pneumonia", "pneumonia")
    w.wrong("false_finding", "no", "visible consolidation in both lung fields", "consolidation")
    assert chosen(w) == "It shows no pneumonia or consolidation in either lung field."


def test_an_enlarged_heart_in_a_list_becomes_a_normal_one() -> None:
    w = Written("It shows an enlarged heart and significant pleural effusion.")
    w.wrong("false_finding", "no", "an enlarged heart", "enlarged heart", list_id=1)
    w.wrong("false_finding", "no", "significant pleural effusion", "pleural effusion", list_id=1)
    assert chosen(w) == "It shows a normal-sized heart and no pleural effusion."


def test_a_mixed_list_keeps_its_other_member() -> None:
    w = Written("There is a small pleural effusion and a pneumothorax.")
    w.silent("a small pleural effusion", "pleural effusion", list_id=1)
    w.wrong("false_finding", "no", "a pneumothorax", "pneumothorax", list_id=1)
    assert chosen(w) == "There is a small pleural effusion but no pneumothorax."
    assert edits_of(w)[0].claim_span.text == "and a pneumothorax"
    w = Written("There is a pneumothorax and a small pleural effusion.")
    w.wrong("false_finding", "no", "a pneumothorax", "pneumothorax", list_id=1)
    w.silent("a small pleural effusion", "pleural effusion", list_id=1)
    assert chosen(w) == "There is no pneumothorax but a small pleural effusion."


def test_the_middle_of_a_list_is_denied_where_its_no_reaches_no_further() -> None:
    w = Written("There is an effusion, a pneumothorax, and a mass.")
    w.silent("an effusion", "effusion", list_id=1)
    w.wrong("false_finding", "no", "a pneumothorax", "pneumothorax", list_id=1)
    w.silent("a mass", "mass", list_id=1)
    assert chosen(w) == "There is an effusion, no pneumothorax, and a mass."


def test_the_middle_of_a_list_is_refused() -> None:
    w = Written("There is an effusion, a pneumothorax, and edema.")
    w.silent("an effusion", "effusion", list_id=1)
    w.wrong("false_finding", "no", "a pneumothorax", "pneumothorax", list_id=1)
    w.silent("edema", list_id=1)
    assert "middle of a list" in refused(w)


def test_included_findings() -> None:
    w = Written("It shows abnormalities, including a large effusion and a pneumothorax.")
    w.wrong("false_finding", "no", "a large effusion", "effusion", list_id=1)
    w.wrong("false_finding", "no", "a pneumothorax", "pneumothorax", list_id=1)
    assert chosen(w) == "It shows abnormalities, with no effusion or pneumothorax."


def test_an_inference_leaves_with_what_it_infers() -> None:
    w = Written("There is an opacity, suggesting severe pneumonia.")
    w.silent("an opacity", "opacity")
    w.wrong("false_finding", "no", "severe pneumonia", "pneumonia")
    assert chosen(w) == "There is an opacity."
    (edit,) = edits_of(w)
    assert edit.claim_span.text == ", suggesting severe pneumonia"
    assert edit.replacement == ""


def test_normal_without_the_finding_is_one_edit() -> None:
    w = Written("The spine appears normal without any degenerative changes.")
    w.wrong("false_negation", "mild degenerative changes", "normal", kind="normality")
    w.wrong("false_negation", "", "degenerative changes", polarity="denied")
    assert chosen(w) == "The spine shows mild degenerative changes."
    assert len(edits_of(w)) == 1


def test_two_predicates_that_become_normal_are_one_edit() -> None:
    w = Written("The silhouette is markedly enlarged and abnormal.")
    w.wrong("false_finding", "normal", "markedly enlarged", "enlarged")
    w.wrong("false_finding", "normal", "abnormal", kind="normality", polarity="denied")
    assert chosen(w) == "The silhouette is normal."


def test_only_the_size_that_is_denied_is_denied() -> None:
    w = Written("There is a large pleural effusion.")
    w.wrong("false_finding", "no large", "a large pleural effusion", "pleural effusion")
    assert chosen(w) == "There is no large pleural effusion."


def test_alternatives_are_not_denied_one_by_one() -> None:
    w = Written("There is scarring or atelectasis.")
    w.silent("scarring", list_id=1)
    w.wrong("false_finding", "no", "atelectasis", list_id=1)
    assert refused(w).startswith("edit_refused")


def test_what_an_answer_says_twice_falls_together() -> None:
    w = Written("There is cardiomegaly. The lungs hide this cardiomegaly.")
    w.wrong("false_finding", "no", "cardiomegaly")
    w.wrong("false_finding", "no", "this cardiomegaly", "cardiomegaly")
    assert refused(w).startswith("edit_refused")


def test_what_an_answer_says_twice_falls_together_or_goes_with_its_sentence() -> None:
    w = Written("There is cardiomegaly. This cardiomegaly is old.")
    w.wrong("false_finding", "no", "cardiomegaly")
    w.wrong("false_finding", "no", "This cardiomegaly", "cardiomegaly")
    assert chosen(w) == "There is no cardiomegaly."


def test_what_rests_on_a_removed_finding_goes_too() -> None:
    w = Written("It shows a mass in the lung. This mass is causing compression. The heart is normal.")
    w.wrong("false_finding", "no", "a mass", "mass")
    assert chosen(w) == "It shows no mass in the lung. The heart is normal."
    one, two = edits_of(w)
    assert two.claim_span.text == " This mass is causing compression."
    assert two.claim_ids == one.claim_ids
    w = Written("The heart is enlarged, indicating possible heart disease.")
    w.wrong("false_finding", "normal", "enlarged")
    assert chosen(w) == "The heart is normal in size."


def test_a_gloss_stays_while_its_concept_is_named() -> None:
    w = Written(
        "It shows a pleural effusion, which is fluid around the lung. A pleural effusion is a build-up of fluid."
    )
    w.wrong("false_finding", "no", "a pleural effusion", "pleural effusion")
    assert chosen(w) == (
        "It shows no pleural effusion, which is fluid around the lung. A pleural effusion is a build-up of fluid."
    )


def test_a_name_leaves_when_the_concept_is_named_no_more() -> None:
    w = Written("The heart appears to be enlarged, which is referred to as cardiomegaly.")
    w.wrong("false_finding", "normal", "enlarged")
    assert chosen(w) == "The heart appears to be normal in size."


@pytest.mark.parametrize(
    ("text", "phrase", "words"),
    [
        ("This mass is causing compression.", "This mass", "mass"),
        ("The effusion occupies the hemithorax.", "The effusion", "effusion"),
        ("An effusion displaces the heart.", "An effusion", "effusion"),
        ("The most likely diagnosis is pneumonia.", "pneumonia", "pneumonia"),
    ],
)
def test_uncertain_grammar_is_refused(text: str, phrase: str, words: str) -> None:
    w = Written(text)
    w.wrong("false_finding", "no", phrase, words)
    if "diagnosis" in text:
        assert chosen(w) == "The most likely diagnosis is not pneumonia."
    else:
        assert refused(w).startswith("edit_refused")


# --- denied and there -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "phrase", "words", "expected"),
    [
        ("There is no pleural effusion.", "no pleural effusion", "pleural effusion", "There is a pleural effusion."),
        ("There is no pleural effusion.", "pleural effusion", "pleural effusion", "There is a pleural effusion."),
        ("No cardiomegaly is seen.", "cardiomegaly", "cardiomegaly", "Cardiomegaly is seen."),
        ("There are no nodules.", "nodules", "nodules", "There are nodules."),
        ("There is no evidence of emphysema.", "emphysema", "emphysema", "There is evidence of emphysema."),
        ("No signs of any fracture are seen.", "fracture", "fracture", "Signs of fracture are seen."),
        ("The lung is without consolidation.", "consolidation", "consolidation", "The lung is with consolidation."),
        ("A mass is not seen.", "A mass", "mass", "A mass is seen."),
        ("Effusions are absent.", "Effusions", "Effusions", "Effusions are present."),
        (
            "The image does not show any midline shift.",
            "midline shift",
            "midline shift",
            "The image shows a midline shift.",
        ),
        ("The image does not show a mass.", "a mass", "mass", "The image shows a mass."),
        ("The lungs are free of consolidation.", "consolidation", "consolidation", "The lungs show consolidation."),
        ("The study is negative for fracture.", "fracture", "fracture", "The study is positive for fracture."),
        ("The aorta does not appear tortuous.", "tortuous", "tortuous", "The aorta appears tortuous."),
        ("The heart is not enlarged.", "enlarged", "enlarged", "The heart is enlarged."),
    ],
)
def test_a_denial_is_taken_back(text: str, phrase: str, words: str, expected: str) -> None:
    w = Written(text)
    w.wrong("false_negation", "", phrase, words, polarity="denied")
    assert chosen(w) == expected


def test_a_denied_list() -> None:
    w = Written("No pleural effusion or pneumothorax is seen.")
    w.wrong("false_negation", "", "pleural effusion", polarity="denied", list_id=1)
    w.wrong("false_negation", "", "pneumothorax", polarity="denied", list_id=1)
    assert chosen(w) == "A pleural effusion and a pneumothorax are seen."


def test_one_of_a_denied_list() -> None:
    w = Written("There is no pleural effusion or pneumothorax.")
    w.wrong("false_negation", "", "pleural effusion", polarity="denied", list_id=1)
    w.silent("pneumothorax", polarity="denied", list_id=1)
    assert chosen(w) == "There is a pleural effusion but no pneumothorax."
    w = Written("There is no pleural effusion or pneumothorax.")
    w.silent("pleural effusion", polarity="denied", list_id=1)
    w.wrong("false_negation", "", "pneumothorax", polarity="denied", list_id=1)
    assert chosen(w) == "There is no pleural effusion but a pneumothorax."


@pytest.mark.parametrize(
    ("text", "phrase", "truth", "expected"),
    [
        ("The heart is normal.", "normal", "mildly enlarged", "The heart is mildly enlarged."),
        ("The heart size is normal.", "normal", "moderate cardiomegaly", "The heart size is moderately enlarged."),
        ("The aorta appears normal.", "normal", "tortuous", "The aorta appears tortuous."),
        (
            "The spine appears perfectly normal.", "perfectly normal", "mild degenerative changes",
            "The spine shows mild degenerative changes.",
        ),
        (
            "The lungs are clear.", "clear", "right upper lobe opacity",
            "The lungs show a right upper lobe opacity.",
        ),
        ("The X-ray is normal.", "normal", "", "The X-ray is abnormal."),
        ("The heart is normal in size.", "normal in size", "mildly enlarged", "The heart is mildly enlarged."),
        ("It shows clear lungs.", "clear lungs", "right opacity", "It shows abnormal lungs."),
        ("This is a normal X-ray.", "a normal X-ray", "", "This is an abnormal X-ray."),
    ],
)  # fmt: skip
def test_a_structure_called_normal_gets_the_references_words(text: str, phrase: str, truth: str, expected: str) -> None:
    w = Written(text)
    w.wrong("false_negation", truth, phrase, kind="normality")
    assert chosen(w) == expected


@pytest.mark.parametrize(
    ("text", "phrase", "words", "expected", "span"),
    [
        ("The pleural spaces are not clear.", "clear", "clear", "The pleural spaces are clear.", "not clear"),
        ("The contour is highly abnormal.", "highly abnormal", "abnormal", "The contour is normal.", "highly abnormal"),
    ],
)
def test_normality_denied(text: str, phrase: str, words: str, expected: str, span: str) -> None:
    w = Written(text)
    w.wrong("false_finding", "normal", phrase, words, kind="normality", polarity="denied")
    assert chosen(w) == expected
    assert edits_of(w)[0].claim_span.text == span


# --- one word for another ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "text", "phrase", "words", "target", "truth", "expected"),
    [
        (
            "wrong_laterality", "There is a left-sided effusion.", "a left-sided effusion", "effusion", "left-sided",
            "right-sided", "There is a right-sided effusion.",
        ),
        (
            "wrong_severity", "There is a large effusion.", "a large effusion", "effusion", "large", "extensive",
            "There is an extensive effusion.",
        ),
        (
            "wrong_modality", "This is a CT scan.", "a CT scan", "CT scan", "CT scan", "MRI", "This is an MRI scan.",
        ),
        (
            "wrong_view_plane", "The plane is the coronal plane.", "the coronal plane", "coronal", "coronal",
            "Transverse Plane (Axial)", "The plane is the transverse plane.",
        ),
        (
            "wrong_view_plane", "It is an anteroposterior (AP) view.", "an anteroposterior (AP) view",
            "anteroposterior", "anteroposterior", "PA", "It is a PA view.",
        ),
        ("wrong_organ", "Heart", "Heart", "Heart", "Heart", "Lungs, Eyes", "Lungs, eyes"),
        (
            "wrong_measurement", "The mass is 3.2 cm in size.", "3.2 cm", "3.2 cm", "3.2 cm", "1.2 cm",
            "The mass is 1.2 cm in size.",
        ),
    ],
)  # fmt: skip
def test_a_word_is_replaced_and_fitted(
    error: str, text: str, phrase: str, words: str, target: str, truth: str, expected: str
) -> None:
    w = Written(text)
    w.wrong(error, truth, phrase, words, target=target)  # type: ignore[arg-type]  # the table's strings
    assert chosen(w) == expected
    assert edits_of(w)[0].claim_span.text.split(" (")[0] in target


def test_several_wrong_attributes_are_edits_of_their_own() -> None:
    w = Written("There is a large right-sided effusion.")
    sides: tuple[tuple[AttributeKind, str, str], ...] = (
        ("severity", "large", "large"),
        ("laterality", "right", "right-sided"),
    )
    w.wrong(
        "wrong_laterality",
        "small left-sided",
        "a large right-sided effusion",
        "effusion",
        target="large right-sided",
        attributes=sides,
    )
    assert chosen(w) == "There is a small left-sided effusion."
    one, two = edits_of(w)
    assert (one.claim_span.text, one.error_type) == ("large", "wrong_severity")
    assert (two.claim_span.text, two.replacement, two.error_type) == ("right", "left", "wrong_laterality")


def test_a_change_of_number_is_refused() -> None:
    w = Written("There are bilateral effusions.")
    w.wrong("wrong_laterality", "right", "bilateral effusions", "effusions", target="bilateral")
    assert "does not fit" in refused(w)


# --- yes and no -------------------------------------------------------------------------------------------------------


def test_a_yes_and_its_body_are_two_edits_of_one_decision() -> None:
    w = Written("Yes, there is a pneumothorax in the X-ray.", prompt="Is there a pneumothorax?")
    w.wrong("false_finding", "No", "Yes", concept="pneumothorax", role="yes_no")
    w.wrong("false_finding", "no", "a pneumothorax", "pneumothorax")
    assert chosen(w) == "No, there is no pneumothorax in the X-ray."
    assert [e.claim_span.text for e in edits_of(w)] == ["Yes", "a pneumothorax"]


def test_a_body_that_cannot_be_turned_holds_its_yes() -> None:
    w = Written("Yes, this mass is causing a shift.", prompt="Is there a mass?")
    w.wrong("false_finding", "No", "Yes", concept="mass", role="yes_no")
    w.wrong("false_finding", "no", "this mass", "mass")
    assert refused(w).startswith("edit_refused")


@pytest.mark.parametrize(
    ("prompt", "text", "truth", "expected"),
    [
        ("Is there a mass?", "Yes", "No", "No"),
        ("Is there a mass?", "yes.", "No", "no."),
        (
            "Is the mass calcified?", "Yes, the mass appears to be calcified.", "No",
            "No, the mass does not appear to be calcified.",
        ),
        (
            "Do the organs in the image exist in the chest?", "Yes, the organs in the image exist in the chest.", "No",
            "No, the organs in the image do not exist in the chest.",
        ),
        (
            "Does the picture contain spleen?", "No, the image does not contain the spleen.", "Yes",
            "Yes, the image contains the spleen.",
        ),
        (
            "Is there edema present near the lesion?", "No, there is no edema present near the lesion.", "Yes",
            "Yes, there is edema present near the lesion.",
        ),
    ],
)  # fmt: skip
def test_a_body_without_claims_is_turned_by_its_verb(prompt: str, text: str, truth: str, expected: str) -> None:
    w = Written(text, prompt=prompt)
    word = text[: text.find(",")] if "," in text else text.strip(".")
    w.wrong("false_finding", truth, word, role="yes_no", polarity="denied" if word == "No" else "affirmed")
    assert chosen(w) == expected


def test_organs_in_the_body() -> None:
    w = Written("Yes, the image is a scan that includes the lungs.", prompt="Does the picture contain lung?")
    w.wrong("false_finding", "No", "Yes", role="yes_no", kind="organ", concept="lung")
    w.wrong("false_finding", "no", "the lungs", "lungs", kind="organ", concept="lung")
    assert chosen(w) == "No, the image is a scan that does not include the lungs."


# --- deletions --------------------------------------------------------------------------------------------------------


def test_context_is_deleted_with_its_space() -> None:
    w = Written("The image is a chest X-ray taken at the time of discharge. It is clear.")
    w.wrong("unsupported_context", "", "taken at the time of discharge", kind="context")
    (edit,) = edits_of(w)
    assert edit.claim_span.text == " taken at the time of discharge"
    assert (edit.span.text, edit.replacement) == (" taken at the time of discharge", "")
    assert chosen(w) == "The image is a chest X-ray. It is clear."


def test_advice_is_deleted_as_a_sentence() -> None:
    w = Written("The lungs are clear. Further evaluation is recommended.")
    w.wrong("recommendation", "", "Further evaluation is recommended", kind="recommendation")
    assert chosen(w) == "The lungs are clear."
    assert edits_of(w)[0].span.text == " Further evaluation is recommended."


def test_the_whole_answer_is_never_deleted() -> None:
    w = Written("Further evaluation is recommended.")
    w.wrong("recommendation", "", "Further evaluation is recommended", kind="recommendation")
    assert "nothing would be left" in refused(w)


def test_half_a_clause_is_not_deleted() -> None:
    w = Written("The patient, who had surgery, has a normal X-ray.")
    w.wrong("unsupported_context", "", "The patient", kind="context")
    assert refused(w).startswith("edit_refused")


# --- the record -------------------------------------------------------------------------------------------------------


def test_weights_and_lesion_links() -> None:
    w = Written("There is a left effusion and round mass.", masks=True)
    w.wrong("wrong_laterality", "right", "a left effusion", "effusion", target="left")
    w.wrong("wrong_descriptor", "oval", "round mass", "mass", target="round", severity="insignificant")
    one, two = edits_of(w, significant_weight=2.0, insignificant_weight=0.25)
    assert (one.weight, two.weight) == (2.0, 0.25)
    assert (one.phrase_id, two.phrase_id) == (1, 2)
    assert one.lesion_linked
    w = Written("There is a mass.", masks=True)
    w.wrong("false_finding", "no", "a mass", "mass")
    assert not edits_of(w)[0].lesion_linked  # the chosen text denies it: no lesion is its evidence


def test_too_much_is_not_an_edit() -> None:
    w = Written("It shows a mass. This mass is causing compression of the airway and of the great vessels nearby.")
    w.wrong("false_finding", "no", "a mass", "mass")
    outcome = MinimalEditor(max_edited_share=0.5)([w.case()])[0]
    assert isinstance(outcome, Dropped)
    assert outcome.reason == "edit_not_minimal"
    assert chosen(w) == "It shows no mass."


def test_two_checkers_must_not_disagree() -> None:
    w = Written("There is a mass.")
    w.wrong("false_finding", "no", "a mass", "mass")
    w.verdicts.append(w.verdicts[0].model_copy(update={"label": "supported", "error_type": None, "target": None}))
    assert edits_of(w) == ()


def test_options_are_checked() -> None:
    with pytest.raises(RecipeError, match="max_edited_share"):
        MinimalEditor(max_edited_share=0.0)
    with pytest.raises(RecipeError, match="negative"):
        MinimalEditor(significant_weight=-1.0)


def test_an_unchecked_case_is_a_bug() -> None:
    case = Written("x").case()
    with pytest.raises(ValueError, match="after `check`"):
        MinimalEditor()([type(case)(example=case.example)])
