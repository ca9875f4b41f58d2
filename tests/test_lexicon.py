"""The lexicon: what it must know, and tables that it must refuse."""

from pathlib import Path

import pytest

from medprefkit.errors import SourceError
from medprefkit.lexicon import Concept, Lexicon, lexicon, read_lexicon


@pytest.mark.parametrize(
    ("normality", "denied", "not_denied"),
    [
        ("lungs_clear", {"consolidation", "lung_nodule", "pneumonia"}, {"pleural_effusion", "pneumothorax"}),
        ("normal_heart_size", {"cardiomegaly"}, {"pericardial_effusion", "pleural_effusion"}),
        ("no_acute_cardiopulmonary_process", {"pneumonia", "pneumothorax"}, {"cardiomegaly", "scarring", "scoliosis"}),
        ("normal_bone", {"fracture", "rib_fracture", "bony_abnormality", "scoliosis"}, {"pneumonia"}),
        ("normal_liver", {"liver_cyst", "hepatomegaly"}, {"splenomegaly"}),
        ("normal_liver_size", {"hepatomegaly"}, {"liver_cyst"}),
        ("normal_pleura", {"pleural_effusion", "pneumothorax"}, {"consolidation"}),
    ],
)  # fmt: skip
def test_a_normality_denies_what_cannot_be_beside_it(normality: str, denied: set[str], not_denied: set[str]) -> None:
    found = lexicon().denied_by(normality)
    assert denied <= found
    assert not not_denied & found


def test_is_a_is_reflexive_and_transitive() -> None:
    known = lexicon()
    assert known.is_a("pleural_effusion", "pleural_effusion")
    assert known.is_a("rib_fracture", "bony_abnormality")
    assert not known.is_a("bony_abnormality", "rib_fracture")
    for concept in known.concepts:
        for broad in known.ancestors(concept):
            assert known.ancestors(broad) <= known.ancestors(concept)


def test_kin_is_symmetric() -> None:
    known = lexicon()
    assert known.kin("consolidation", "infiltrate")
    assert known.kin("infiltrate", "consolidation")
    assert not known.kin("consolidation", "pneumothorax")


def test_every_organ_has_its_normality() -> None:
    known = lexicon()
    organs = [c.id for c in known.concepts.values() if c.kind == "organ"]
    assert len(organs) > 80
    assert all(known.normality_of(o) in known.concepts for o in organs)


def test_a_finding_takes_the_form_of_its_organ() -> None:
    known = lexicon()
    assert known.specialize("mass", "lung") == "lung_mass"
    assert known.specialize("fracture", "rib") == "rib_fracture"
    assert known.specialize("mass", "knee") == "mass"


def test_an_unknown_concept_is_only_itself() -> None:
    known = lexicon()
    assert known.ancestors("right upper quadrant") == {"right upper quadrant"}
    assert known.name("upper_quadrant") == "upper quadrant"
    assert known.denied_by("pneumonia") == frozenset()


def test_a_dangling_id_is_refused() -> None:
    with pytest.raises(SourceError, match="'heart', which has no row"):
        Lexicon((Concept("cardiomegaly", "finding", "cardiomegaly", structures=("heart",)),))


def test_a_cycle_is_refused() -> None:
    rows = (Concept("a", "finding", "a", parents=("b",)), Concept("b", "finding", "b", parents=("a",)))
    with pytest.raises(SourceError, match="cycle: a -> b -> a"):
        Lexicon(rows)


def test_an_id_given_twice_is_refused() -> None:
    with pytest.raises(SourceError, match="'a' has two rows"):
        Lexicon((Concept("a", "finding", "a"), Concept("a", "finding", "b")))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a\tmood\ta", "kind 'mood' is none of"),
        ("a\tfinding\ta" + "\t" * 7, "10 columns, expected 9"),
        ("a\tfinding\ta\t\t\t\tyes", "seventh column"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(tmp_path: Path, line: str, message: str) -> None:
    table = tmp_path / "words.tsv"
    table.write_text(f"# a comment\n{line}\n", "utf-8")
    with pytest.raises(SourceError, match=message) as error:
        read_lexicon(table)
    assert "words.tsv:2" in str(error.value)
