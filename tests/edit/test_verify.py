import pytest
from by_hand import Written

from medprefkit.edit.minimal import MinimalEditor
from medprefkit.edit.verify import keep_edits, verify_edits
from medprefkit.offsets import apply_edits, span_of
from medprefkit.records import Case, Claim, Dropped, Edit


def edits_of(written: Written) -> tuple[Edit, ...]:
    outcome = MinimalEditor()([written.case()])[0]
    assert not isinstance(outcome, Dropped)
    return outcome


def reread(text: str, *said: tuple[str, str, dict[str, object]]) -> list[Claim]:
    """Return the claims of an edited text: (phrase, words, fields)."""
    w = Written(text)
    for phrase, words, fields in said:
        w.claim(phrase, words, **fields)  # type: ignore[arg-type]  # fields of a claim, checked by pydantic
    return w.claims


def effusion() -> Written:
    w = Written("There is a large pleural effusion. The mass is round.")
    w.wrong("false_finding", "no", "a large pleural effusion", "pleural effusion")
    w.silent("The mass", "mass")
    return w


def test_an_edit_that_holds() -> None:
    w = effusion()
    after = reread(
        "There is no pleural effusion. The mass is round.",
        ("no pleural effusion", "pleural effusion", {"polarity": "denied"}),
        ("The mass", "mass", {}),
    )
    assert verify_edits(w.case(), after, edits_of(w)) == ()
    assert verify_edits(w.case(), after, ()) == ()


def test_a_target_that_is_still_wrong() -> None:
    w = effusion()
    after = reread(
        "There is no pleural effusion. The mass is round.",
        ("no pleural effusion", "pleural effusion", {}),
        ("The mass", "mass", {}),
    )
    (refused,) = verify_edits(w.case(), after, edits_of(w))
    assert refused.phrase_id == 1
    assert "still wrong" in refused.reason


@pytest.mark.parametrize("fields", [{"polarity": "denied"}, {"certainty": "uncertain"}, {"concept": "nodule"}])
def test_a_claim_that_was_no_target_must_read_as_before(fields: dict[str, object]) -> None:
    w = effusion()
    after = reread(
        "There is no pleural effusion. The mass is round.",
        ("no pleural effusion", "pleural effusion", {"polarity": "denied"}),
        ("The mass", "mass", fields),
    )
    (refused,) = verify_edits(w.case(), after, edits_of(w))
    assert "reads differently" in refused.reason


def test_a_label_may_fall_into_a_denial() -> None:
    w = Written("There is evidence of hemorrhage in this CT scan.")
    w.wrong("false_finding", "no", "evidence of hemorrhage", "hemorrhage")
    w.silent("this CT scan", "CT scan", kind="modality")
    after = reread(
        "There is no evidence of hemorrhage in this CT scan.",
        ("evidence of hemorrhage", "hemorrhage", {"polarity": "denied"}),
        ("this CT scan", "CT scan", {"kind": "modality", "polarity": "denied"}),
    )
    assert verify_edits(w.case(), after, edits_of(w)) == ()


def one_edit(text: str, words: str, replacement: str) -> tuple[Case, tuple[Edit, ...]]:
    w = Written(text)
    w.wrong("false_finding", "no", words)
    start = text.index(words)
    span = span_of(text, start, start + len(words))
    edit = Edit(
        phrase_id=1,
        span=span,
        claim_span=span,
        replacement=replacement,
        error_type="false_finding",
        claim_ids=("c0",),
    )
    return w.case(), (edit,)


@pytest.mark.parametrize(
    ("text", "words", "replacement", "reason"),
    [
        ("There is a mass.", "a mass", "is no mass", "doubled"),
        ("There is a mass.", "a mass", " no mass", "space is doubled"),
        ("There is a mass.", "a mass", "no mass ", "space stands before"),
        ("There is a mass, seen well.", "a mass", "no mass,", "two marks meet"),
        ("There is a mass.", "a mass", "no a mass", "determiner"),
        ("There is a mass.", "a mass", "a effusion", "article"),
        ("There is a mass.", "a mass", "no mass (old", "brackets"),
        ("A mass is seen.", "A mass", "no mass", "capital"),
        ("There is a mass.", "is a mass", "is", "cut off"),
    ],
)
def test_text_that_is_no_longer_well_formed(text: str, words: str, replacement: str, reason: str) -> None:
    case, edits = one_edit(text, words, replacement)
    (refused,) = verify_edits(case, [], edits)
    assert reason in refused.reason


def test_an_invented_finding() -> None:
    case, edits = one_edit("There is a mass.", "a mass", "a fracture")
    after = reread("There is a fracture.", ("a fracture", "fracture", {}))
    (refused,) = verify_edits(case, after, edits)
    assert "nobody did" in refused.reason


def test_a_decision_falls_as_a_whole() -> None:
    w = Written("Yes, there is a mass.", prompt="Is there a mass?")
    w.wrong("false_finding", "No", "Yes", concept="mass", role="yes_no")
    w.wrong("false_finding", "no", "a mass", "mass")
    edits = edits_of(w)
    after = reread("No, there is no mass.", ("no mass", "mass", {}))
    refused = verify_edits(w.case(), after, edits)
    assert [r.phrase_id for r in refused] == [1, 2]
    assert "same decision" in refused[0].reason


def test_kept_edits_are_numbered_anew() -> None:
    w = Written("There is a mass. There is a nodule.")
    w.wrong("false_finding", "no", "a mass", "mass")
    w.wrong("false_finding", "no", "a nodule", "nodule")
    edits = edits_of(w)
    (kept,) = keep_edits(edits, {1})
    assert (kept.phrase_id, kept.span.text) == (1, "a nodule")
    assert keep_edits(edits, set()) == edits
    assert apply_edits(w.text, keep_edits(edits, {1, 2})).text == w.text


def test_an_unchecked_case_is_a_bug() -> None:
    case, edits = one_edit("There is a mass.", "a mass", "no mass")
    with pytest.raises(ValueError, match="after `check`"):
        verify_edits(Case(example=case.example), [], edits)
