import pytest

from medprefkit.edit.grow import grow_empty
from medprefkit.edit.limits import edited_share, is_short
from medprefkit.edit.words import article, capitalised_like, is_plural, takes_article, with_article
from medprefkit.offsets import apply_edits, span_of
from medprefkit.records import Edit


def edit(text: str, start: int, end: int, replacement: str = "") -> Edit:
    span = span_of(text, start, end)
    return Edit(phrase_id=1, span=span, claim_span=span, replacement=replacement, error_type="meta_text")


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("effusion", "an"),
        ("mass", "a"),
        ("MRI", "an"),
        ("CT scan", "a"),
        ("X-ray", "an"),
        ("unilateral opacity", "a"),
        ("ultrasound", "an"),
        ("hour", "an"),
        ("uterus", "a"),
        ("SVC line", "an"),
        ("T2-weighted image", "a"),
        ("PA view", "a"),
        ("upper lobe", "an"),
        ("enlarged heart", "an"),
        ("European scan", "a"),
    ],
)
def test_articles_follow_the_sound(phrase: str, expected: str) -> None:
    assert article(phrase) == expected


@pytest.mark.parametrize(
    ("phrase", "plural"),
    [
        ("nodules", True),
        ("bullae", True),
        ("pneumothoraces", True),
        ("opacities in the lung", True),
        ("atelectasis", False),
        ("pneumothorax", False),
        ("mass", False),
        ("fracture of the ribs", False),
    ],
)
def test_the_head_decides_the_number(phrase: str, plural: bool) -> None:
    assert is_plural(phrase) is plural


def test_what_takes_an_article() -> None:
    assert with_article("pleural effusion") == "a pleural effusion"
    assert with_article("edema") == "edema"
    assert with_article("the liver") == "the liver"
    assert with_article("multiple nodules") == "multiple nodules"
    assert not takes_article("degenerative changes")


def test_capitals_follow_the_place() -> None:
    assert capitalised_like("no mass", "A") == "No mass"
    assert capitalised_like("No mass", "a") == "no mass"
    assert capitalised_like("MRI", "a") == "MRI"
    assert capitalised_like("", "A") == ""


def test_a_deletion_takes_in_the_word_before_it() -> None:
    text = "It is clear. This mass is large."
    (grown,) = grow_empty(text, [edit(text, 12, 32)])
    assert (grown.span.text, grown.replacement, grown.grown) == ("clear. This mass is large.", "clear.", True)
    assert grown.claim_span.text == " This mass is large."
    assert apply_edits(text, [grown]).text == "It is clear."


def test_a_deletion_at_the_start_takes_in_the_word_after_it() -> None:
    text = "Of note. It is clear."
    (grown,) = grow_empty(text, [edit(text, 0, 9)])
    assert (grown.span.text, grown.replacement) == ("Of note. It", "It")


def test_an_insertion_grows_both_sides() -> None:
    text = "It is clear."
    (grown,) = grow_empty(text, [edit(text, 12, 12, " No mass.")])
    assert (grown.span.text, grown.replacement) == ("clear.", "clear. No mass.")


def test_a_deletion_between_edits_keeps_out_of_them() -> None:
    text = "a mass, likely cancer."
    first, second = edit(text, 0, 6, "no mass"), edit(text, 6, 21)
    grown = grow_empty(text, [first, second])
    assert grown[0] == first
    assert (grown[1].span.text, grown[1].replacement) == (", likely cancer.", ".")
    assert apply_edits(text, grown).text == "no mass."


def test_a_deletion_without_neighbours_stays_empty() -> None:
    (same,) = grow_empty("Yes", [edit("Yes", 0, 3)])
    assert not same.grown


def test_the_share_counts_tokens_that_do_not_survive() -> None:
    text = "There is a large pleural effusion."  # 7 tokens
    assert edited_share(text, [edit(text, 9, 33, "no pleural effusion")]) == pytest.approx(2 / 7)
    assert edited_share("", []) == 0.0
    assert is_short("Yes, it is.")
    assert not is_short("word " * 20)
