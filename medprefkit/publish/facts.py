"""Facts: the plain values that a data card states, counted in one pass over the pairs. Knows no files, no Markdown."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from medprefkit.offsets import edited_word_share
from medprefkit.records import SCHEMA_VERSION, PreferencePair


class SourceFacts(NamedTuple):
    """One source of pairs and what may be done with it."""

    name: str
    licence: str
    credentialed: bool
    no_derivatives: bool
    n_pairs: int
    no_redistribution: bool = False


class ErrorFacts(NamedTuple):
    """How many edits correct errors of one type, by severity."""

    error_type: str
    n_significant: int
    n_insignificant: int


class CorruptionFacts(NamedTuple):
    """One way of removing lesions, with its options as canonical JSON."""

    name: str
    options: str
    n_pairs: int


class AuditFacts(NamedTuple):
    """One check of an audit: its value as a person reads it, the largest that passes, and whether it is beyond."""

    title: str
    value: str
    limit: str
    is_beyond: bool
    detail: str


class DropFacts(NamedTuple):
    """Records that one stage dropped for one reason."""

    stage: str
    reason: str
    n_records: int


class CallFacts(NamedTuple):
    """What was asked of one model: questions, the different ones among them, and the tokens that those took."""

    model: str
    n_requests: int
    n_calls: int
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class CardFacts:
    """Everything that a data card states.

    Attributes:
        n_pairs: Split -> rows, in the order in which the splits came.
        n_groups: Patients or studies.
        n_control: Rows with a control image, of the `n_corrupted` rows with a corrupted one.
        modalities: Modality -> rows, most frequent first; "not stated" where the source does not say.
        calls: By model that was asked while the pairs were made.
        models: Model that answered -> rows, most frequent first.
        checkers: Checker -> claims that it judged, most frequent first.
        verdicts: Label -> claims.
        edited_word_share: Mean over rows of the words of both texts that edits touch, 0 to 1.
        length_only_accuracy: How often the better of "longer is chosen" and "shorter is chosen" is right, in words; a
            tie counts half. 0.5 is what a set without a length bias has.
        chosen_words: Mean words of the chosen text; `rejected_words` likewise.
    """

    title: str
    language: str
    n_pairs: dict[str, int]
    n_groups: int
    n_edits: int
    n_with_images: int
    n_corrupted: int
    n_control: int
    sources: tuple[SourceFacts, ...]
    errors: tuple[ErrorFacts, ...]
    corruptions: tuple[CorruptionFacts, ...]
    drops: tuple[DropFacts, ...]
    calls: tuple[CallFacts, ...]
    modalities: dict[str, int]
    models: dict[str, int]
    checkers: dict[str, int]
    verdicts: dict[str, int]
    edited_word_share: float
    length_only_accuracy: float
    chosen_words: float
    rejected_words: float
    recipe_hashes: tuple[str, ...]
    package_versions: tuple[str, ...]
    schema_version: str

    @property
    def n_rows(self) -> int:
        """Rows of all splits."""
        return sum(self.n_pairs.values())


def gather_facts(
    pairs: Iterable[tuple[str, PreferencePair]],
    dropped: Mapping[tuple[str, str], int],
    *,
    title: str,
    language: str,
    calls: Iterable[CallFacts] = (),
) -> CardFacts:
    """Count what a card states.

    Args:
        pairs: (split, pair), in any order; the same pairs give the same facts.
        dropped: (stage, reason) -> records.
        title: Heading of the card.
        language: Code of the texts' language ("en").
        calls: What was asked of models to make the pairs.

    Returns:
        The facts; shares and means are 0 where there is no pair.
    """
    tally = _Tally()
    for split, pair in pairs:
        tally.add(split, pair)
    n = max(1, tally.n_pairs.total())
    longer, shorter = tally.lengths["longer"], tally.lengths["shorter"]
    return CardFacts(
        title=title,
        language=language,
        n_pairs=dict(sorted(tally.n_pairs.items(), key=_train_first)),
        n_groups=len(tally.groups),
        n_edits=sum(tally.errors.values()),
        n_with_images=tally.n_with_images,
        n_corrupted=sum(tally.corruptions.values()),
        n_control=tally.n_control,
        sources=tuple(
            SourceFacts(name, licence, credentialed, no_derivatives, count, no_redistribution)
            for (name, licence, credentialed, no_derivatives, no_redistribution), count in sorted(tally.sources.items())
        ),
        errors=_errors(tally.errors),
        corruptions=tuple(CorruptionFacts(*key, count) for key, count in sorted(tally.corruptions.items())),
        drops=tuple(DropFacts(*key, count) for key, count in dropped.items() if count),
        calls=tuple(sorted(calls)),
        modalities=_ranked(tally.modalities),
        models=_ranked(tally.models),
        checkers=_ranked(tally.checkers),
        verdicts=_ranked(tally.verdicts),
        edited_word_share=math.fsum(tally.edited_shares) / n,
        length_only_accuracy=(max(longer, shorter) + tally.lengths["equal"] / 2) / n,
        chosen_words=tally.words["chosen"] / n,
        rejected_words=tally.words["rejected"] / n,
        recipe_hashes=tuple(sorted(tally.recipe_hashes)),
        package_versions=tuple(sorted(tally.package_versions)),
        schema_version=SCHEMA_VERSION,
    )


class _Tally:
    """Running counts over pairs."""

    def __init__(self) -> None:
        self.n_pairs: Counter[str] = Counter()
        self.groups: set[str] = set()
        self.n_with_images = self.n_control = 0
        self.sources: Counter[tuple[str, str, bool, bool, bool]] = Counter()
        self.errors: Counter[tuple[str, str]] = Counter()
        self.corruptions: Counter[tuple[str, str]] = Counter()
        self.modalities: Counter[str] = Counter()
        self.models: Counter[str] = Counter()
        self.checkers: Counter[str] = Counter()
        self.verdicts: Counter[str] = Counter()
        self.edited_shares: list[float] = []
        self.lengths: Counter[str] = Counter()
        self.words: Counter[str] = Counter()
        self.recipe_hashes: set[str] = set()
        self.package_versions: set[str] = set()

    def add(self, split: str, pair: PreferencePair) -> None:
        """Count one pair."""
        origin = pair.provenance
        self.n_pairs[split] += 1
        self.groups.add(pair.group_id)
        self.n_with_images += bool(pair.images)
        terms = (origin.credentialed, origin.no_derivatives, origin.no_redistribution)
        self.sources[origin.source, origin.licence, *terms] += 1
        self.modalities[origin.modality or "not stated"] += 1
        self.models[origin.model or "not stated"] += 1
        self.errors.update((span.error_type, span.severity) for span in pair.rejected_spans)
        if pair.corrupted is not None:
            self.corruptions[pair.corrupted.name, pair.corrupted.options] += 1
            self.n_control += bool(pair.corrupted.control)
        self.checkers.update(verdict.checker for verdict in pair.verdicts)
        self.verdicts.update(verdict.label for verdict in pair.verdicts)
        self.edited_shares.append(edited_word_share(pair))
        chosen, rejected = len(pair.chosen.split()), len(pair.rejected.split())
        self.lengths["equal" if chosen == rejected else "longer" if chosen > rejected else "shorter"] += 1
        self.words.update(chosen=chosen, rejected=rejected)
        self.recipe_hashes.add(origin.recipe_hash)
        self.package_versions.add(origin.package_version)


def _errors(counts: Counter[tuple[str, str]]) -> tuple[ErrorFacts, ...]:
    facts = [
        ErrorFacts(name, counts[name, "significant"], counts[name, "insignificant"])
        for name in {key[0] for key in counts}
    ]
    return tuple(sorted(facts, key=_frequent_first))


def _frequent_first(fact: ErrorFacts) -> tuple[int, str]:
    return -fact.n_significant - fact.n_insignificant, fact.error_type


def _ranked(counts: Counter[str]) -> dict[str, int]:
    """Most frequent first, then by name, so that the order in which pairs came does not show."""
    return dict(sorted(sorted(counts.items()), key=_minus_count))


def _minus_count(item: tuple[str, int]) -> int:
    return -item[1]


def _train_first(item: tuple[str, int]) -> tuple[bool, str]:
    return item[0] != "train", item[0]
