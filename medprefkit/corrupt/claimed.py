"""Which of an example's masks belong to what its edits speak of: by the masks' labels and the lexicon."""

from collections.abc import Iterator

from medprefkit.errors import ImageError
from medprefkit.lexicon import Lexicon, lexicon
from medprefkit.records import Case, MaskRef


def claimed_masks(case: Case) -> tuple[MaskRef, ...]:
    """Return the masks whose label names a finding of a lesion-linked edit, or a broader, narrower or kindred one.

    An unlabelled mask says nothing of what it shows, and is left out.

    Raises:
        ImageError: `mask_missing` if there is none: another lesion's removal would prove nothing about the edit.
    """
    words = lexicon()
    spoken = set(_concepts_spoken_of(case))
    kept = tuple(
        mask
        for mask in case.example.lesion_masks
        if any(_belongs(words, shown, concept) for shown in _concepts_shown(words, mask.label) for concept in spoken)
    )
    if not kept:
        labels = ", ".join(sorted({repr(mask.label) for mask in case.example.lesion_masks})) or "none"
        told = ", ".join(sorted(words.name(concept) for concept in spoken)) or "no lesion"
        problem = f"its masks show {labels}, its edits speak of {told}"
        raise ImageError("mask_missing", f"{problem}; label the mask, or set `lesions: all`")
    return kept


def _concepts_spoken_of(case: Case) -> Iterator[str]:
    if case.edits is None or case.claims is None:
        return
    linked = {claim_id for edit in case.edits.edits if edit.lesion_linked for claim_id in edit.claim_ids}
    for claim in case.claims.answer:
        if claim.claim_id in linked:
            yield claim.concept


def _concepts_shown(words: Lexicon, label: str) -> list[str]:
    """Return the findings that a label names, whatever its case, its hyphens and its number."""
    wanted = set(_forms(label))
    return [
        row.id
        for row in words.concepts.values()
        if row.kind == "finding"
        and wanted.intersection(form for name in (row.id, row.name, *row.synonyms) for form in _forms(name))
    ]


def _forms(name: str) -> Iterator[str]:
    plain = " ".join(name.casefold().replace("_", " ").replace("-", " ").split())
    if plain:
        yield plain
        if plain.endswith("ies"):
            yield f"{plain[:-3]}y"
        elif plain.endswith("s"):
            yield plain[:-1]


def _belongs(words: Lexicon, shown: str, spoken: str) -> bool:
    return words.is_a(shown, spoken) or words.is_a(spoken, shown) or words.kin(shown, spoken)
