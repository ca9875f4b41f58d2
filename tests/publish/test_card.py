"""The card: worked counts, a golden example, valid metadata, and texts that cannot become markup."""

import random
import re
from pathlib import Path

import hypothesis.strategies as st
import pytest
import yaml
from huggingface_hub import DatasetCard
from hypothesis import given
from made_pairs import corrupt, make

from medprefkit.publish.card import metadata, render_card
from medprefkit.publish.escape import code, escape_markdown
from medprefkit.publish.facts import AuditFacts, CardFacts, ErrorFacts, SourceFacts, gather_facts
from medprefkit.publish.licences import terms_of
from medprefkit.records import PreferencePair, Source

AUDIT = (
    AuditFacts("length alone picks the chosen text", "100.0%", "60%", True, "the shorter text, in words"),
    AuditFacts("marked rows with a wrong span", "0.0%", "0%", False, "0 of 3"),
)
PICTURES = (("edits.png", "How much of the words the edits touch, by pairs"),)
EXAMPLE = Path(__file__).parents[2] / "data_cards" / "example.md"
DROPPED = {("generate", "answer_empty"): 1, ("edit", "no_error_found"): 12, ("edit", "edit_refused"): 0}


def made(tmp_path: Path) -> list[tuple[str, PreferencePair]]:
    """Three pairs of two sources and two licences; two pictured, one of them with a lesion removed."""
    open_i = Source(name="iu_xray", licence="CC-BY-NC-ND-4.0", no_derivatives=True)
    return [
        ("train", make("a", images=["a.png"], corrupted=corrupt(tmp_path, "a"), modality="X-ray")),
        ("train", make("b", images=["b.png"], modality="CT", changes=[("a large", "no", "false_finding")])),
        ("eval", make("c", group_id="patient-b", source=open_i, modality="CT")),
    ]


def facts_of(pairs: list[tuple[str, PreferencePair]], title: str = "Three pairs") -> CardFacts:
    return gather_facts(pairs, DROPPED, title=title, language="en")


def front_matter(card: str) -> dict[str, object]:
    front = yaml.safe_load(card.split("---\n")[1])
    assert isinstance(front, dict)
    return front


def test_counts_by_hand(tmp_path: Path) -> None:
    facts = facts_of(made(tmp_path))
    assert facts.n_pairs == {"train": 2, "eval": 1}
    assert (facts.n_rows, facts.n_groups, facts.n_edits) == (3, 2, 5)
    assert (facts.n_with_images, facts.n_corrupted, facts.n_control) == (2, 1, 1)
    assert facts.modalities == {"CT": 2, "X-ray": 1}
    assert facts.errors == (ErrorFacts("false_finding", 3, 0), ErrorFacts("wrong_laterality", 2, 0))
    assert [drop.n_records for drop in facts.drops] == [1, 12]
    assert facts.verdicts == {"contradicted": 5}
    # words: a, c have 11 rejected and 10 chosen, b 11 and 10 ("a large" -> "no")
    assert (facts.rejected_words, facts.chosen_words) == (11, 10)
    assert facts.length_only_accuracy == 1.0  # chosen is always the shorter one
    # a, c: 4 of 11 and 3 of 10 words touched; b: 2 of 11 and 1 of 10
    assert facts.edited_word_share == pytest.approx((7 / 21 + 7 / 21 + 3 / 21) / 3)


def test_a_length_only_guess_is_worth_half_where_lengths_are_equal() -> None:
    pairs = [("train", make(name, changes=[("left", "right", "wrong_laterality")])) for name in "ab"]
    assert facts_of(pairs).length_only_accuracy == 0.5


def test_no_pair_at_all_still_makes_a_card() -> None:
    assert "0 preference pairs" in render_card(facts_of([]))


def test_the_order_of_pairs_does_not_show(tmp_path: Path) -> None:
    pairs = made(tmp_path)
    card = render_card(facts_of(pairs))
    assert render_card(facts_of(random.Random(0).sample(pairs, len(pairs)))) == card


def test_the_rendered_example_is_current(tmp_path: Path) -> None:
    """`data_cards/example.md` is what the template makes of three pairs; on a wanted change, write it again."""
    card = render_card(facts_of(made(tmp_path), "Three chest pairs"), audit=AUDIT, pictures=PICTURES)
    assert card == EXAMPLE.read_text("utf-8")


def test_the_hub_reads_the_metadata(tmp_path: Path) -> None:
    card = DatasetCard(render_card(facts_of(made(tmp_path))))
    assert card.data.license == "other"
    assert card.data.size_categories == ["n<1K"]
    assert card.data.to_dict()["configs"][0]["data_files"] == [
        {"split": "train", "path": "parquet/train-*.parquet"},
        {"split": "eval", "path": "parquet/eval-*.parquet"},
    ]


@pytest.mark.parametrize(
    ("licences", "hub_id", "objections"),
    [
        ([("CC0-1.0", False, False)], "cc0-1.0", 0),
        ([("CC-BY-4.0", False, False), ("CC-BY-4.0", False, False)], "cc-by-4.0", 0),
        ([("CC-BY-4.0", False, False), ("MIT", False, False)], "other", 0),
        ([("Apache-2.0 over CC-BY-4.0", False, False)], "other", 0),
        ([("CC-BY-NC-ND-4.0", False, False)], "other", 1),
        ([("CC0-1.0", False, True), ("CC0-1.0", True, False)], "other", 2),
    ],
)
def test_terms(licences: list[tuple[str, bool, bool]], hub_id: str, objections: int) -> None:
    sources = [SourceFacts(f"s{n}", name, held, fixed, 1) for n, (name, held, fixed) in enumerate(licences)]
    terms = terms_of(sources)
    assert terms.hub_id == hub_id
    assert len(terms.objections) == objections
    assert bool(terms.name) == (hub_id == "other")


HOSTILE = (
    "---\nlicense: mit\n---\n# Own heading\n<script>alert(1)</script> [x](javascript:alert(1)) ![i](http://e.vil/a.png)"
    " | cell | `code` **bold** https://e.vil www.e.vil a@e.vil \u202etxt\u0007 {{ 7 * 7 }} {% raw %}"
)


def test_texts_of_the_data_cannot_become_markup(tmp_path: Path) -> None:
    source = Source(name=HOSTILE, licence=HOSTILE)
    pair = make("x", source=source, modality=HOSTILE, prompt=HOSTILE)
    calm = make("x", source=Source(name="s", licence="l"), modality="m")
    card, plain = render_card(facts_of([("train", pair)], HOSTILE)), render_card(facts_of([("train", calm)]))
    assert front_matter(card)["license"] == "other"
    assert set(front_matter(card)) == set(front_matter(plain))
    body = card.split("---\n", 2)[2]
    assert "<script" not in body
    assert not re.search(r"(?<!\\)\]\(", body)
    assert "://" not in body
    assert "\u202e" not in card
    assert "\u0007" not in card
    assert "{{ 7 \\* 7 }}" in body
    # no new line, and so no new row or heading
    assert len(body.splitlines()) == len(plain.split("---\n", 2)[2].splitlines())


@given(st.text(max_size=40))
def test_an_escaped_text_is_one_line_without_live_markup(text: str) -> None:
    for escaped in (str(escape_markdown(text)), str(code(text))):
        assert "\n" not in escaped
        assert "<" not in escaped
        assert "://" not in escaped
    inert = str(escape_markdown(text))
    for char in "`*_[]|~$":
        assert inert.replace("\\\\", "").count(char) == inert.replace("\\\\", "").count(f"\\{char}")


def test_sizes() -> None:
    facts = facts_of([("train", make("a"))])
    assert metadata(facts)["task_categories"] == ["text-generation"]
    for n, size in ((999, "n<1K"), (1000, "1K<n<10K"), (10_000_000, "n>10M")):
        facts.n_pairs["train"] = n
        assert metadata(facts)["size_categories"] == [size]


def test_a_card_beside_an_index_promises_no_rows(tmp_path: Path) -> None:
    card = render_card(facts_of(made(tmp_path)), form="index")
    assert "load_dataset" not in card
    assert "medprefkit rebuild index" in card
    assert DatasetCard(card).data.to_dict()["configs"] == [{"config_name": "default", "data_files": "index.jsonl"}]
