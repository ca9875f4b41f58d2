"""Training pairs: labels by construction, balance, one seed one set; and what may not be made of a report."""

from collections import Counter

import pytest

from medprefkit.check.pairs import Pair, make_pairs
from medprefkit.check.statements import ReadReport
from medprefkit.detect.lexicon import LexiconDetector
from medprefkit.inject.inject import make_twin
from medprefkit.inject.phrasing import Statement, phrase
from medprefkit.records import Passage
from medprefkit.seeds import rng_for

TEXTS = [
    "The heart is normal in size. There is a small left pleural effusion. No pneumothorax. The spine is degenerated.",
    "The lungs are clear. No pleural effusion or pneumothorax. Heart size is normal.",
    "Moderate cardiomegaly. There is right upper lobe pneumonia. No pneumothorax is seen. The bones are intact.",
    "There is a calcified granuloma in the left lung. No pleural effusion. The mediastinum is normal.",
    "Possible pneumonia. Heart size is within normal limits. No pneumothorax.",
    "Large right pneumothorax. The heart is normal in size. No pleural effusion.",
]


@pytest.fixture(scope="module")
def reports() -> list[ReadReport]:
    read = LexiconDetector()([Passage(id=str(k), prompt="", text=text) for k, text in enumerate(TEXTS)])
    return [ReadReport(str(k), f"g{k}", text, claims) for k, (text, claims) in enumerate(zip(TEXTS, read, strict=True))]


def pairs_of(reports: list[ReadReport], n_pairs: int = 120, max_words: int = 100) -> list[Pair]:
    return make_pairs(reports, rng_for(0, "check", "test"), n_pairs=n_pairs, max_reference_words=max_words)


def test_the_same_seed_makes_the_same_pairs_balanced_over_what_they_say(reports: list[ReadReport]) -> None:
    pairs = pairs_of(reports)
    assert pairs == pairs_of(reports)
    cells = Counter((pair.label, pair.abnormal) for pair in pairs)
    assert len(cells) == 6
    assert max(cells.values()) <= 20
    assert len(pairs_of(reports, n_pairs=12)) == 12


def test_labels_hold_by_construction(reports: list[ReadReport]) -> None:
    by_report = {r.id: r for r in reports}
    for pair in pairs_of(reports, n_pairs=600):
        said = pair.claim.lower()
        assert pair.focus.lower() in said
        text = by_report[pair.report_id].text
        if pair.error_type != "evidence_removed":
            assert pair.reference in " ".join(text.split())
        if "pneumothorax" in text and "Large right" in text and "pneumothorax" in said and "left" not in said:
            small = "small" in said or pair.error_type == "wrong_severity"
            denied = not pair.abnormal
            if pair.label == "supported":
                assert not denied, pair
            if pair.label == "contradicted":
                assert denied or small, pair
        if pair.label == "supported" and pair.report_id == "1":
            assert not pair.abnormal, f"nothing is wrong in a normal report: {pair}"
        if pair.error_type == "suspected_only":
            assert pair.label == "unverifiable"


def test_a_long_report_is_read_in_part(reports: list[ReadReport]) -> None:
    for pair in pairs_of(reports, n_pairs=300, max_words=8):
        assert len(pair.reference.split()) <= 14
        if pair.error_type == "own_words":
            assert pair.claim in pair.reference


def test_twins_say_something_else_and_add_nothing() -> None:
    text = TEXTS[1]
    twin = make_twin(text, rng=rng_for(0, "twin", "1"), n_changes=3)
    assert twin is not None
    assert twin != text
    assert twin == make_twin(text, rng=rng_for(0, "twin", "1"), n_changes=3)
    assert make_twin("XXXX", rng=rng_for(0, "twin", "1"), n_changes=3) is None


def test_statements_are_english_with_their_attributes() -> None:
    said = {
        found.text
        for k in range(300)
        if (found := phrase(Statement("lung_nodule", True, side="right", place="upper"), rng_for(k, "a", "b")))
        is not None
    }
    assert "There is a nodule in the right upper lobe." in said
    assert all("right upper lobe" in text for text in said)
    denied = {
        found.text
        for k in range(300)
        if (found := phrase(Statement("pneumothorax", False), rng_for(k, "a", "b"))) is not None
    }
    assert {"No pneumothorax.", "Pneumothorax is absent."} <= denied
    assert phrase(Statement("lung_nodule", True, place="retrocardiac"), rng_for(0, "a", "b")) is None
