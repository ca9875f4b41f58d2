"""The audit: one pass over the rows of any preference dataset, then the measures that need all of them together.

Texts are kept in memory, pictures are looked at one by one and forgotten.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from medprefkit.audit.duplicates import RowTexts, find_duplicates
from medprefkit.audit.pictures import Look, compare, look_at
from medprefkit.audit.report import AuditReport, Histogram, Measured, Telling, held_to
from medprefkit.audit.separability import MIN_PAIRS, bag_of_words
from medprefkit.audit.spans import span_faults
from medprefkit.audit.texts import edited_share, leftovers, length_only, prompt_leak, words, yes_or_no
from medprefkit.formats.pair import FormatPair, Picture, Unreadable

_EXAMPLES = 5


def audit(
    rows: Iterable[FormatPair | Unreadable],
    *,
    dataset: str,
    format_name: str,
    limits: dict[str, float],
) -> AuditReport:
    """Measure a dataset.

    Args:
        rows: As they are read.
        dataset: Its name, for the report.
        format_name: Of its rows.
        limits: Check -> the largest value that passes.

    Returns:
        The report; a check that there is nothing to measure on is `unknown`.
    """
    tally = _Tally()
    for row in rows:
        tally.add(row)
    return AuditReport(
        dataset=dataset,
        format=format_name,
        n_pairs=len(tally.rows),
        n_by_split=dict(tally.splits),
        n_pictures=len(tally.looks),
        words_chosen=_mean([chosen for chosen, _ in tally.lengths]),
        words_rejected=_mean([rejected for _, rejected in tally.lengths]),
        checks=tuple(held_to(measured, limits) for measured in tally.measured()),
        histograms=tuple(tally.histograms()),
        telling_chosen=tuple(Telling(word=word, weight=weight) for word, weight in tally.telling[0]),
        telling_rejected=tuple(Telling(word=word, weight=weight) for word, weight in tally.telling[1]),
        labels=dict(tally.labels.most_common()),
    )


class _Tally:
    """What one pass leaves."""

    def __init__(self) -> None:
        self.rows: list[RowTexts] = []
        self.splits: Counter[str] = Counter()
        self.unreadable: list[str] = []
        self.lengths: list[tuple[int, int]] = []
        self.edited: list[float] = []
        self.labels: Counter[str] = Counter()
        self.looks: dict[str, Look] = {}
        self.telling: tuple[Sequence[tuple[str, float]], Sequence[tuple[str, float]]] = ((), ())
        self._found: dict[str, list[str]] = defaultdict(list)
        self._why: dict[str, Counter[str]] = defaultdict(Counter)
        self._weights: list[float] = []
        self._n_marked = self._n_pictured = self._n_corrupted = self._n_grouped = 0
        self._groups: list[str] = []
        self._yes_no: list[tuple[str, str]] = []
        self._changed: list[float] = []
        self._sides: dict[str, dict[str, set[str]]] = {"group": defaultdict(set), "picture": defaultdict(set)}
        self._of_key: dict[str, dict[str, str]] = {"group": {}, "picture": {}}

    def add(self, row: FormatPair | Unreadable) -> None:
        if isinstance(row, Unreadable):
            self.unreadable.append(f"{row.where}: {row.problem}")
            return
        self.splits[row.split] += 1
        looks = [self._look(picture) for picture in row.images]
        picture = tuple(look.content for look in looks) or None
        self.rows.append(RowTexts(row.id, row.question, row.chosen, row.rejected, picture))
        self._groups.append(row.group_id or str(picture or row.question))
        self._add_texts(row)
        self._add_leaks(row, looks)
        self._add_corrupted(row)

    def _add_texts(self, row: FormatPair) -> None:
        self.lengths.append((len(words(row.chosen)), len(words(row.rejected))))
        self.edited.append(edited_share(row.chosen, row.rejected))
        if row.chosen == row.rejected or not row.chosen.strip() or not row.rejected.strip():
            self._found["identical_pairs"].append(row.id)
        if row.weight is not None:
            self._weights.append(row.weight)
            if row.weight == 0:
                self._found["zero_weights"].append(row.id)
        if row.chosen_marks or row.rejected_marks:
            self._n_marked += 1
            for fault in span_faults(row)[:1]:
                self._note("invalid_spans", row.id, fault)
        if leak := prompt_leak(row.question, row.chosen, row.rejected):
            self._note("prompt_leaks", row.id, leak)
        for text in (row.chosen, row.rejected):
            if piece := leftovers(text):
                self._note("leftovers", row.id, piece)
                break
        right, wrong = yes_or_no(row.chosen), yes_or_no(row.rejected)
        if right and wrong and right != wrong:
            self._yes_no.append((right, wrong))
        self.labels.update(row.error_types or ([right] if right else []))

    def _add_leaks(self, row: FormatPair, looks: Sequence[Look]) -> None:
        if row.group_id:
            self._n_grouped += 1
            self._sides["group"][row.group_id].add(row.split)
            self._of_key["group"].setdefault(row.group_id, row.id)
        self._n_pictured += bool(looks)
        for look in looks:
            for key in {look.content, look.appearance} - {""}:
                self._sides["picture"][key].add(row.split)
                self._of_key["picture"].setdefault(key, row.id)
            if look.problem:
                self._note("broken_pictures", row.id, look.problem)

    def _add_corrupted(self, row: FormatPair) -> None:
        if not row.corrupted:
            return
        self._n_corrupted += 1
        if len(row.corrupted) != len(row.images):
            self._note("bad_corruptions", row.id, "not one for each image")
            return
        compared = [compare(clean, after) for clean, after in zip(row.images, row.corrupted, strict=True)]
        # of several images only those with a lesion change: one change is enough
        problems = [one.problem for one in compared if one.problem and one.problem != "identical"]
        if not problems and all(one.problem == "identical" for one in compared):
            problems = ["identical"]
        for problem in problems[:1]:
            self._note("bad_corruptions", row.id, problem)
        self._changed.append(max(one.changed_share for one in compared))

    def _look(self, picture: Picture) -> Look:
        key = picture.name if picture.content is None else str(hash(picture.content))
        if key not in self.looks:
            self.looks[key] = look_at(picture)
        return self.looks[key]

    def _note(self, check: str, row_id: str, why: str) -> None:
        self._found[check].append(row_id)
        self._why[check][why] += 1

    def measured(self) -> Iterable[Measured]:
        """Yield every measure, in the order of the report."""
        share, n = self._share, len(self.rows)
        total = n + len(self.unreadable)
        yield Measured(
            "unreadable_rows", "rows that are not of the format", len(self.unreadable) / total if total else None,
            examples=tuple(self.unreadable[:_EXAMPLES]),
        )  # fmt: skip
        by_length = length_only(self.lengths)
        yield Measured(
            "length_only_accuracy", "length alone picks the chosen text", by_length.accuracy if n else None,
            f"the {by_length.rule} text, in words; {by_length.n_ties} ties count half",
        )  # fmt: skip
        median, low = (np.percentile(self.edited, [50, 10]).tolist()) if n else (None, 0.0)
        yield Measured(
            "edited_share_median", "words outside what both texts share", median,
            f"median; a tenth of the pairs is below {low:.0%}",
        )  # fmt: skip
        yield share("identical_pairs", "identical or empty texts", n)
        yield share("zero_weights", "rows of weight 0, which train nothing", len(self._weights))
        repeated = find_duplicates(self.rows)
        for name, title, ids in (
            ("exact_duplicates", "rows that repeat an earlier row", repeated.exact),
            ("near_duplicates", "rows nearly the same as an earlier one of the picture", repeated.near),
            ("contradicting_rows", "rows that reject what another prefers", repeated.contradicting),
        ):
            yield Measured(name, title, len(ids) / n if n else None, examples=ids[:_EXAMPLES])
        yield self._leaks("picture", "pictures on more than one split", self._n_pictured)
        yield self._leaks("group", "patients on more than one split", self._n_grouped)
        yield share("invalid_spans", "marked rows with a wrong span", self._n_marked)
        yield share("prompt_leaks", "prompts that hold the chosen answer", n)
        yield share("leftovers", "texts with a template's or maker's traces", n)
        yield self._yes_no_accuracy()
        yield self._bag_of_words()
        yield self._broken_pictures()
        yield share("bad_corruptions", "corrupted pictures that cannot be compared", self._n_corrupted)
        changed = float(np.percentile(self._changed, 95)) if self._changed else None
        yield Measured(
            "corrupted_share_p95", "pixels that a corruption changes", changed,
            f"95th percentile of {len(self._changed)} rows" if self._changed else "no corrupted pictures",
        )  # fmt: skip

    def _share(self, name: str, title: str, n: int) -> Measured:
        ids = self._found[name]
        why = ", ".join(f"{reason} {count}" for reason, count in self._why[name].most_common(3))
        return Measured(name, title, len(ids) / n if n else None, why or f"{len(ids)} of {n}", tuple(ids[:_EXAMPLES]))

    def _leaks(self, kind: str, title: str, n: int) -> Measured:
        sides = self._sides[kind]
        if len(self.splits) < 2 or not n:
            return Measured(f"{kind}_leaks", title, None, "one split" if n else f"no {kind} is named")
        leaking = [key for key, splits in sides.items() if len(splits) > 1]
        examples = tuple(self._of_key[kind][key] for key in leaking[:_EXAMPLES])
        return Measured(f"{kind}_leaks", title, len(leaking) / len(sides), f"{len(leaking)} on both sides", examples)

    def _broken_pictures(self) -> Measured:
        if self.looks and all(look.problem == "missing" for look in self.looks.values()):
            detail = "no picture is here; name their folder with --images"
            return Measured("broken_pictures", "rows with a missing or unreadable picture", None, detail)
        return self._share("broken_pictures", "rows with a missing or unreadable picture", self._n_pictured)

    def _yes_no_accuracy(self) -> Measured:
        title = "always preferring yes, or always no"
        n = len(self._yes_no)
        if n < MIN_PAIRS:
            return Measured("yes_no_accuracy", title, None, f"{n} pairs of a yes and a no")
        yes = sum(right == "yes" for right, _ in self._yes_no)
        word = "yes" if yes * 2 >= n else "no"
        detail = f"{word} is chosen; {n} pairs of a yes and a no"
        return Measured("yes_no_accuracy", title, max(yes, n - yes) / n, detail)

    def _bag_of_words(self) -> Measured:
        title = "a bag of words picks the chosen text"
        chosen, rejected = [row.chosen for row in self.rows], [row.rejected for row in self.rows]
        found = bag_of_words(chosen, rejected, self._groups)
        if found is None:
            return Measured("bag_of_words_accuracy", title, None, f"fewer than {MIN_PAIRS} pairs, or five groups")
        self.telling = (found.telling_chosen, found.telling_rejected)
        telling = ", ".join(word for word, _ in found.telling_rejected[:5])
        detail = f"cross-validated over {found.n_pairs} pairs; speak against a text: {telling}"
        return Measured("bag_of_words_accuracy", title, found.accuracy, detail)

    def histograms(self) -> Iterable[Histogram]:
        """Yield the distributions that the page draws."""
        difference = [chosen - rejected for chosen, rejected in self.lengths]
        yield _histogram("Length: chosen minus rejected", "words", difference, _even_edges(difference, 30))
        yield _histogram("Words outside what both share", "share", self.edited, [n / 20 for n in range(21)])
        if self._changed:
            yield _histogram("Pixels that a corruption changes", "share", self._changed, [n / 20 for n in range(21)])
        if self._weights:
            yield _histogram("Weights", "weight", self._weights, _even_edges(self._weights, 20))


def _even_edges(values: Sequence[float], n_bins: int) -> list[float]:
    """Cover the middle 98 of 100 values evenly; what is outside counts in the outermost bins."""
    low, high = (float(edge) for edge in np.percentile(values, [1, 99])) if values else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return [low + (high - low) * n / n_bins for n in range(n_bins + 1)]


def _histogram(title: str, axis: str, values: Sequence[float], edges: Sequence[float]) -> Histogram:
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]) if values else [], bins=list(edges))
    return Histogram(title=title, axis=axis, edges=tuple(edges), counts=tuple(int(count) for count in counts))


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values) if values else 0.0
