"""Reading an edited answer again: is each target right now, is everything else as it was, is it still English?

Pure: the claims of the edited text come from whoever reads it. An edit that does not hold is named with a reason,
and with it every edit of the same decision.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from medprefkit.edit.decisions import linked_claims, to_edit
from medprefkit.lexicon import lexicon
from medprefkit.offsets import apply_edits
from medprefkit.records import ATTRIBUTE_ERROR, Case, Claim, Edit, Span, Verdict


class RefusedEdit(NamedTuple):
    """An edit that does not hold."""

    phrase_id: int
    reason: str


_DEFECTS = (
    (re.compile(r"\b(\w+) \1\b", re.I), "a word is doubled"),
    (re.compile(r"\S {2,}\S"), "a space is doubled"),
    (re.compile(r"\s[,.;:!?](?=\s|$)"), "a space stands before a mark"),
    (re.compile(r"[a-z][.!?][A-Za-z]{2}"), "two sentences run together"),
    (re.compile(r"[,;:][,.;:]|\.,|,\s*(?:and|or)?\s*[.;]"), "two marks meet"),
    (
        re.compile(r"\bno\s+(?:an?|no|not|some|any|several|multiple)\b|\bnot\s+(?:no|not)\b", re.I),
        "a determiner follows a denial",
    ),
    (re.compile(r"\ba\s+(?:[aeio]\w|MRI\b|X-ray)|\ban\s+(?:[bcdfgjklmnpqrstvwyz]\w{2,})"), "the article does not fit"),
    (
        re.compile(
            r"\b(?:an?|the|and|or|but|with|of|no|is|are|was|were|be|been|has|have|had|which|that|means|to|from|by)\s*[.;,]"
        ),
        "a phrase is cut off",
    ),
    (re.compile(r"\bthere is (?:multiple|several|two|three)\b", re.I), "the verb does not agree"),
)
_MOVES = frozenset({"wrong_organ", "wrong_location"})
_LABELS = frozenset({"modality", "view_plane", "organ"})
_RESTS_ON = re.compile(
    r"(?:\s+(?:in|of|on|at|within|throughout|present|noted|seen|visible|observed)\b[^,.;:]{0,60}?)?,?\s+(?:also\s+)?"
    r"(?:indicating|indicative\s+of|suggesting|suggestive\s+of|consistent\s+with|compatible\s+with|concerning\s+for|"
    r"suspicious\s+for|representing|reflecting|causing|resulting\s+in|leading\s+to|due\s+to|related\s+to|secondary\s+to|"
    r"(?:which|that)\s+(?:(?:may|might|could|can|is|are)\s+)?(?:be\s+)?(?:suggests?|indicates?|causing|indicative\s+of|"
    r"suggestive\s+of|consistent\s+with|causes?))\s+[^.;:]{0,60}?",
    re.I,
)
"""Between a finding and what is inferred from it."""
_HEAD_OF_A_LIST = re.compile(r"(?:abnormalit|findings?|changes?|issues?|problems?|patholog)", re.I)
_BRACKETS = ("()", "[]", "{}")


def verify_edits(case: Case, chosen_claims: Sequence[Claim], edits: Sequence[Edit]) -> tuple[RefusedEdit, ...]:
    """Return the edits that do not hold; empty if all do.

    Args:
        case: With answer, claims and verdicts.
        chosen_claims: The claims of the edited text, by the detector that read the answer.
        edits: Sorted and disjoint.

    Raises:
        ValueError: If the case has not been checked.
    """
    if case.answer is None or case.claims is None:
        raise ValueError(f"{case.example.id}: this step comes after `check`")
    if not edits:
        return ()
    edited = apply_edits(case.answer.text, edits)
    reading = _Reading(case.answer.text, tuple(edits), edited.text, edited.spans, tuple(chosen_claims))
    reasons: dict[int, str] = {}
    for found in (
        *_malformed(reading),
        *_not_fixed(case.claims.answer, to_edit(case), reading),
        *_disturbed(case, case.claims.answer, reading),
        *_invented(case.claims.answer, case.claims.reference, reading),
    ):
        reasons.setdefault(found.phrase_id, found.reason)
    return _with_decisions(case, edits, reasons)


def keep_edits(edits: Sequence[Edit], refused: Collection[int]) -> tuple[Edit, ...]:
    """Return the edits that are not refused, numbered 1 to P in order of position."""
    kept = sorted((e for e in edits if e.phrase_id not in refused), key=_position)
    return tuple(edit.model_copy(update={"phrase_id": k}) for k, edit in enumerate(kept, start=1))


@dataclass(frozen=True, slots=True)
class _Reading:
    """An answer, its edits, what they make of it, and what was read of that.

    `spans` are where the edits stand in the edited text.
    """

    answer: str
    edits: tuple[Edit, ...]
    chosen: str
    spans: tuple[Span, ...]
    claims: tuple[Claim, ...]

    def range_of(self, span: Span) -> tuple[int, int]:
        """Return where the characters of the answer stand now; a cut one moves to the border of its edit."""
        return self._moved(span.start_char, to_end=False), self._moved(span.end_char, to_end=True)

    def _moved(self, position: int, *, to_end: bool) -> int:
        shift = 0
        for edit, now in zip(self.edits, self.spans, strict=True):
            if edit.span.end_char <= position and not (
                to_end and edit.span.start_char < position == edit.span.end_char
            ):
                shift += len(edit.replacement) - len(edit.span.text)
            elif edit.span.start_char < position:
                return now.end_char if to_end else now.start_char
        return position + shift

    def touched(self, span: Span) -> Edit | None:
        """Return the edit that shares a character with the span, or None."""
        return next(
            (e for e in self.edits if e.span.start_char < span.end_char and span.start_char < e.span.end_char),
            None,
        )

    def nearest(self, span: Span) -> Edit:
        """Return the edit nearest to the span: the one that is most likely to have disturbed it."""
        distances = [max(e.span.start_char - span.end_char, span.start_char - e.span.end_char) for e in self.edits]
        return self.edits[distances.index(min(distances))]

    def read_at(self, span: Span) -> list[Claim]:
        """Return the claims of the edited text that touch where the span now stands."""
        start, end = self.range_of(span)
        return [c for c in self.claims if c.span.start_char < max(end, start + 1) and start < c.span.end_char]


def _malformed(reading: _Reading) -> list[RefusedEdit]:
    chosen = reading.chosen
    found: list[RefusedEdit] = []
    for edit, now in zip(reading.edits, reading.spans, strict=True):
        before = reading.answer[max(0, edit.span.start_char - 12) : edit.span.end_char + 12]
        after = chosen[max(0, now.start_char - 12) : now.end_char + 12]
        for pattern, reason in _DEFECTS:
            n_after = len(pattern.findall(after))
            if n_after and n_after > len(pattern.findall(before)):
                found.append(RefusedEdit(edit.phrase_id, f"{reason} in {after!r}"))
        if _opens(edit.span.text) != _opens(edit.replacement):
            found.append(RefusedEdit(edit.phrase_id, f"brackets no longer match in {after!r}"))
        if _begins_lower(reading.answer, edit.span.start_char, chosen, now):
            found.append(RefusedEdit(edit.phrase_id, f"a sentence begins without its capital in {after!r}"))
    return found


def _not_fixed(claims: Sequence[Claim], verdicts: dict[str, Verdict], reading: _Reading) -> list[RefusedEdit]:
    by_id = {c.claim_id: c for c in claims}
    found: list[RefusedEdit] = []
    for edit in reading.edits:
        for claim_id in edit.claim_ids:
            claim, verdict = by_id[claim_id], verdicts.get(claim_id)
            if verdict is None or verdict.target is None or reading.touched(verdict.target) is not edit:
                continue
            if any(_says_the_same(claim, verdict, c, reading) for c in reading.read_at(claim.phrase)):
                found.append(RefusedEdit(edit.phrase_id, f"{claim.span.text!r} is still wrong when read again"))
    return found


def _says_the_same(claim: Claim, verdict: Verdict, now: Claim, reading: _Reading) -> bool:
    if now.concept != claim.concept or now.role == "definition" or now.certainty == "hypothetical":
        return False
    if verdict.error_type == "wrong_certainty":
        return now.certainty == claim.certainty
    wrong = [a for a in claim.attributes if _meet(a.span, verdict.target) and reading.touched(a.span) is not None]
    named = {a.span for a in wrong if ATTRIBUTE_ERROR[a.kind] == verdict.error_type}
    # "bibasilar" is a side and a place: where its side is wrong, the place stays
    wrong = [a for a in wrong if a.span not in named or ATTRIBUTE_ERROR[a.kind] == verdict.error_type]
    if claim.kind == "device":
        wrong = [a for a in wrong if a.kind != "laterality"]  # the side of where its tip lies, not its own
    if wrong and verdict.target != claim.phrase:
        return bool({(a.kind, a.value) for a in wrong} & {(a.kind, a.value) for a in now.attributes})
    return now.polarity == claim.polarity and now.kind == claim.kind


def _disturbed(case: Case, claims: Sequence[Claim], reading: _Reading) -> list[RefusedEdit]:
    """Find claims that were no target and that do not read as before."""
    targets = {claim_id for edit in reading.edits for claim_id in edit.claim_ids}
    found: list[RefusedEdit] = []
    rulings = case.verdicts.verdicts if case.verdicts is not None else ()
    supported = {v.claim_id for v in rulings if v.label == "supported"}
    by_target = [c for c in claims if c.claim_id in targets]
    for claim in claims:
        if claim.claim_id in targets or claim.role == "definition" or _is_pronoun_of(claim, targets):
            continue
        if claim.claim_id not in supported and any(_goes_with(claim, other, reading) for other in by_target):
            continue
        touching = reading.touched(claim.span)
        if claim.kind == "comparison":
            continue  # says how a thing has changed, and goes with it
        if touching is not None and claim.span.text not in touching.replacement:
            true = claim.claim_id in supported and touching.error_type == "wrong_temporal"
            if true or not _may_leave(touching, claim):
                found.append(
                    RefusedEdit(touching.phrase_id, f"{claim.span.text!r} would go and nothing contradicts it")
                )
            continue
        if not any(_reads_alike(claim, c, reading) for c in reading.read_at(claim.span)):
            nearest = reading.nearest(claim.span)
            found.append(RefusedEdit(nearest.phrase_id, f"{claim.span.text!r} reads differently after the edit"))
    return found


def _goes_with(claim: Claim, target: Claim, reading: _Reading) -> bool:
    """Tell whether nobody says this apart from a target: the same words of another organ, or what is inferred from it.

    "The heart and vessels are enlarged" says of both with one word; "opacities indicating infection" says nothing of an
    infection once there are no opacities.
    """
    if claim.span == target.span and _calls_abnormal(claim) and _calls_abnormal(target):
        return True
    edit = reading.touched(target.phrase)
    if edit is None or target.polarity != "affirmed" or claim.polarity != "affirmed":
        return False
    if (
        _HEAD_OF_A_LIST.match(claim.span.text)
        and edit.span.start_char <= claim.span.start_char < target.span.start_char
    ):
        return True
    gap = reading.answer[edit.span.end_char : claim.span.start_char]
    return claim.sentence == target.sentence and _RESTS_ON.fullmatch(gap) is not None


def _calls_abnormal(claim: Claim) -> bool:
    return claim.kind in {"finding", "normality"} and (claim.kind == "finding") == (claim.polarity == "affirmed")


def _is_pronoun_of(claim: Claim, targets: set[str]) -> bool:
    """Tell whether a bare "This" speaks of what an edit changed; if it is now wrong, the checker says so."""
    return claim.refers_to in targets and claim.span.text.lower() in {"this", "it", "these", "they"}


def _may_leave(edit: Edit, claim: Claim) -> bool:
    """Tell whether a claim may go with a deletion: it rested on what was removed, and denies nothing of today."""
    affirmed = claim.polarity == "affirmed" or not claim.current
    return not edit.replacement and affirmed and claim.kind != "normality"


def _reads_alike(claim: Claim, now: Claim, reading: _Reading) -> bool:
    nearest = reading.nearest(claim.span)
    if nearest.error_type in _MOVES and now.span.text == claim.span.text and now.polarity == claim.polarity:
        return True  # "abnormality in the lung" is another concept once it is in the heart
    if claim.kind in _LABELS:
        # "no effusion in this CT scan": whether a label is said to be denied is a matter of scope, not of meaning
        return now.concept == claim.concept
    # of two things that were considered, the one that is left is said
    settled = claim.cue is not None and claim.cue.text.lower() in {"versus", "vs"} and not nearest.replacement
    kept = {(a.kind, a.value) for a in claim.attributes if reading.touched(a.span) is None}
    return (
        now.concept == claim.concept
        and now.polarity == claim.polarity
        and (now.certainty == claim.certainty or settled)
        and kept <= {(a.kind, a.value) for a in now.attributes}
    )


def _invented(claims: Sequence[Claim], reference: Sequence[Claim], reading: _Reading) -> list[RefusedEdit]:
    """Find findings that an edit affirms although neither its targets nor the reference named them."""
    by_id = {c.claim_id: c for c in claims}
    true = {c.concept for c in reference if c.polarity == "affirmed"}
    found: list[RefusedEdit] = []
    for edit, now in zip(reading.edits, reading.spans, strict=True):
        meant = {by_id[claim_id].concept for claim_id in edit.claim_ids}
        before = {c.concept for c in claims if reading.touched(c.phrase) is edit}
        for claim in reading.claims:
            inside = now.start_char <= claim.span.start_char and claim.span.end_char <= now.end_char
            if not inside or claim.kind != "finding" or claim.polarity != "affirmed" or claim.role == "definition":
                continue
            if not any(_is_kin(claim.concept, known) for known in meant | true | before):
                found.append(RefusedEdit(edit.phrase_id, f"the edit would say {claim.span.text!r}, which nobody did"))
    return found


def _is_kin(concept: str, known: str) -> bool:
    """Tell whether to say the one is to say the other, or less."""
    return lexicon().is_a(known, concept) or lexicon().kin(known, concept)


def _with_decisions(case: Case, edits: Sequence[Edit], reasons: dict[int, str]) -> tuple[RefusedEdit, ...]:
    if not reasons or case.claims is None:
        return ()
    linked = linked_claims(case.claims.answer, to_edit(case))
    fallen = {i for e in edits if e.phrase_id in reasons for c in e.claim_ids for i in linked.get(c, {c})}
    refused = dict(reasons)
    for edit in edits:
        if edit.phrase_id not in refused and not fallen.isdisjoint(edit.claim_ids):
            refused[edit.phrase_id] = "another edit of the same decision does not hold"
    return tuple(RefusedEdit(k, refused[k]) for k in sorted(refused))


def _opens(text: str) -> list[int]:
    return [text.count(pair[0]) - text.count(pair[1]) for pair in _BRACKETS]


def _begins_lower(answer: str, start: int, chosen: str, now: Span) -> bool:
    """Tell whether the edit stands at the start of a sentence that had a capital and has none now."""
    at_start = not answer[:start].strip() or answer[:start].rstrip()[-1] in ".!?\n"
    first, follows = answer[start : start + 1], chosen[now.start_char : now.start_char + 1]
    return at_start and first.isupper() and follows.islower()


def _meet(span: Span, target: Span | None) -> bool:
    return target is not None and span.start_char < target.end_char and target.start_char < span.end_char


def _position(edit: Edit) -> tuple[int, int]:
    return edit.span.start_char, edit.span.end_char
