"""What there is to show of a pair: its texts cut at the edits, each edit with its verdicts, and which to show.

Knows nothing of HTML, terminals or files.
"""

import heapq
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from medprefkit.offsets import edited_word_share
from medprefkit.records import PhraseSpan, PreferencePair, Verdict


@dataclass(frozen=True, slots=True)
class ShownPair:
    """A pair with what a reader needs beside it.

    Attributes:
        pair: The pair.
        split: Which side it is on; empty where there is none.
        reference: The ground truth that the answer was judged against; empty where it is not shown.
    """

    pair: PreferencePair
    split: str = ""
    reference: str = ""


class Segment(NamedTuple):
    """A piece of a text; `span` is the edit that it belongs to, None outside every edit."""

    text: str
    span: PhraseSpan | None


class ShownEdit(NamedTuple):
    """One edit: what stood there, what stands there now, and the verdicts on the words that it changed."""

    span: PhraseSpan
    wrong: str
    right: str
    verdicts: tuple[Verdict, ...]


@dataclass(slots=True)
class Counts:
    """What a page says at its top, counted as pairs flow past.

    Attributes:
        splits: Split -> pairs.
        error_types: Error type -> edits.
        n_corrupted: Pairs with a lesion-removed image.
        edited_shares: Sum over pairs of the share of words that edits touch.
    """

    splits: Counter[str] = field(default_factory=Counter)
    error_types: Counter[str] = field(default_factory=Counter)
    n_corrupted: int = 0
    edited_shares: float = 0.0

    @property
    def n_pairs(self) -> int:
        """Pairs of all splits."""
        return self.splits.total()

    def over(self, pairs: Iterable[ShownPair]) -> Iterator[ShownPair]:
        """Yield the pairs, counted."""
        for shown in pairs:
            self.splits[shown.split] += 1
            self.error_types.update(span.error_type for span in shown.pair.rejected_spans)
            self.n_corrupted += shown.pair.corrupted is not None
            self.edited_shares += edited_word_share(shown.pair)
            yield shown


def choose(pairs: Iterable[ShownPair], n_pairs: int) -> list[ShownPair]:
    """Return at most `n_pairs` pairs so that every kind is seen before any is seen twice, in the order they came.

    A kind is a source, an error type (a pair counts as its rarest so far), and whether a lesion was removed. Memory
    holds `n_pairs` pairs; the same pairs in the same order give the same choice.
    """
    seen: Counter[tuple[str, str, bool]] = Counter()
    kept: list[tuple[int, int, ShownPair]] = []  # a heap of (-rank within its kind, -position, pair): worst first
    for position, shown in enumerate(pairs):
        pair = shown.pair
        kinds = [(pair.provenance.source, span.error_type, pair.corrupted is not None) for span in pair.rejected_spans]
        rank = min((seen[kind] for kind in kinds), default=0)
        seen.update(set(kinds))
        entry = (-rank, -position, shown)
        if len(kept) < n_pairs:
            heapq.heappush(kept, entry)
        elif n_pairs and entry > kept[0]:
            heapq.heapreplace(kept, entry)
    return [shown for _, _, shown in sorted(kept, key=_position)]


def segments(text: str, spans: Sequence[PhraseSpan]) -> list[Segment]:
    """Cut a text at its spans; joined, the pieces are the text. A span of no characters is a piece of none."""
    pieces: list[Segment] = []
    cursor = 0
    for span in sorted(spans, key=_start):
        if cursor < span.start_char:
            pieces.append(Segment(text[cursor : span.start_char], None))
        pieces.append(Segment(text[span.start_char : span.end_char], span))
        cursor = span.end_char
    if cursor < len(text):
        pieces.append(Segment(text[cursor:], None))
    return pieces


def edits_of(pair: PreferencePair) -> list[ShownEdit]:
    """Return a pair's edits in order of position, each with the contradicted verdicts whose words it changes."""
    right = {span.phrase_id: pair.chosen[span.start_char : span.end_char] for span in pair.chosen_spans}
    return [
        ShownEdit(
            span=span,
            wrong=pair.rejected[span.start_char : span.end_char],
            right=right.get(span.phrase_id, ""),
            verdicts=_once(verdict for verdict in pair.verdicts if _touches(verdict, span)),
        )
        for span in sorted(pair.rejected_spans, key=_start)
    ]


def visible(text: str) -> str:
    """Return a text with characters that steer a terminal or turn the reading direction written as `<U+202E>`.

    Line feeds and tabs stay, and so do joiners, which emoji and several scripts need.
    """
    return "".join(f"<U+{ord(char):04X}>" if _steers(char) else char for char in text)


def _steers(char: str) -> bool:
    return char not in "\n\t\u200c\u200d" and unicodedata.category(char) in {"Cc", "Cf", "Cs"}


def _once(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """Keep one of several verdicts that read alike, as those on the items of one list do."""
    alike = {(v.checker, v.rule, v.score, v.evidence): v for v in verdicts}
    return tuple(alike.values())


def _touches(verdict: Verdict, span: PhraseSpan) -> bool:
    target = verdict.target
    if target is None or verdict.label != "contradicted":
        return False
    # a target of no characters (an insertion) touches the span that it stands in
    return target.start_char < max(span.end_char, span.start_char + 1) and span.start_char < max(
        target.end_char, target.start_char + 1
    )


def _position(entry: tuple[int, int, ShownPair]) -> int:
    return -entry[1]


def _start(span: PhraseSpan) -> tuple[int, int]:
    return span.start_char, span.end_char
