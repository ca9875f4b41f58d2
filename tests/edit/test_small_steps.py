import pytest

from medprefkit.edit.limits import edited_share, is_short
from medprefkit.edit.words import article, capitalised_like, is_plural, takes_article, with_article
from medprefkit.offsets import span_of
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


def test_the_share_counts_tokens_that_do_not_survive() -> None:
    text = "There is a large pleural effusion."  # 7 tokens
    assert edited_share(text, [edit(text, 9, 33, "no pleural effusion")]) == pytest.approx(2 / 7)
    assert edited_share("", []) == 0.0
    assert is_short("Yes, it is.")
    assert not is_short("word " * 20)
