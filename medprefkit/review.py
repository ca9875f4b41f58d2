"""Review: what a person decided about pairs, and how a build heeds it. Knows no stage; who judges is handed in.

The page writes decisions as JSON lines. One is bound to the texts that were seen: where the pair is another by now, it
is refused. A corrected text is no exception to anything: it is cut into edits, read and judged again, and left out
where it does not hold.
"""

import difflib
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import ValidationError, model_validator

from medprefkit.errors import DatasetError
from medprefkit.records import Case, Dropped, Edit, Edits, PreferencePair, Record, Span, Verdict

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")

Make = Callable[[Case], PreferencePair | Dropped]
Verify = Callable[[Case, tuple[Edit, ...]], Edits | Dropped]


class Decision(Record):
    """What a person says of one pair."""

    id: str
    digest: str
    """Of the texts that were seen, as `pair_digest` makes it."""
    decision: Literal["accept", "reject", "fix"]
    chosen: str = ""
    """With `fix`, the edited text as it should be; empty with the others."""

    @model_validator(mode="after")
    def _fix_has_text(self) -> "Decision":
        if bool(self.chosen.strip()) != (self.decision == "fix"):
            raise ValueError("a text goes with `fix`, and only with it")
        return self


def pair_digest(pair: PreferencePair) -> str:
    """Return what binds a decision to the texts of a pair: 16 hexadecimal digits."""
    texts = "\0".join((pair.id, pair.prompt, pair.rejected, pair.chosen))
    return hashlib.sha256(texts.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def read_decisions(path: Path) -> dict[str, Decision]:
    """Return the decisions of a file by the id of their pair; blank lines are passed over.

    Raises:
        DatasetError: If the file cannot be read, a line is no decision, or two are about one pair.
    """
    found: dict[str, Decision] = {}
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read as decisions; save them on the page of `medprefkit view`") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            decision = Decision.model_validate_json(line)
        except ValidationError as error:
            said = error.errors()[0]
            where = ".".join(map(str, said["loc"]))
            raise DatasetError(f"{path}, line {number}: no decision ({where} {said['msg']}); save it again") from error
        if decision.id in found:
            raise DatasetError(f"{path}, line {number}: a second decision on {decision.id!r}; keep one")
        found[decision.id] = decision
    return found


def reviewed(
    cases: Iterable[Case], decisions: Mapping[str, Decision], *, make: Make, verify: Verify
) -> Iterator[PreferencePair | Dropped]:
    """Make the pairs of cases, as a person decided about them; pairs without a decision are made as ever.

    Args:
        cases: In the order of the sources.
        decisions: By the id of their pair.
        make: Makes a pair of a case.
        verify: Reads and judges the text that edits make of a case, and tells whether all of them hold.

    Yields:
        The pair; `Dropped` with `review_rejected` for a rejected one, and with `edit_not_verified` or `edit_incomplete`
        for a corrected text that does not hold.

    Raises:
        DatasetError: If a decision is about another text than that of its pair, or about no pair.
    """
    waiting = dict(decisions)
    for case in cases:
        outcome = make(case)
        decision = waiting.pop(case.example.id, None)
        if decision is None:
            yield outcome
            continue
        if isinstance(outcome, Dropped) or pair_digest(outcome) != decision.digest:
            raise DatasetError(f"the decision on {decision.id!r} is about another text than the run's; review it again")
        yield _decided(case, outcome, decision, make, verify)
    if waiting:
        raise DatasetError(f"{len(waiting)} decisions are about no pair of this run, such as {next(iter(waiting))!r}")


def _decided(
    case: Case, pair: PreferencePair, decision: Decision, make: Make, verify: Verify
) -> PreferencePair | Dropped:
    match decision.decision:
        case "accept":
            return pair
        case "reject":
            return Dropped(id=pair.id, stage="build", reason="review_rejected", detail="a reviewer rejected the pair")
        case "fix":
            return _corrected(case, pair, decision.chosen, make, verify)


def _corrected(case: Case, pair: PreferencePair, chosen: str, make: Make, verify: Verify) -> PreferencePair | Dropped:
    if chosen == pair.chosen:
        return pair
    edits = edits_of_text(case, chosen)
    if isinstance(edits, str):
        return Dropped(id=pair.id, stage="build", reason="edit_not_verified", detail=f"a reviewer's text: {edits}")
    settled = verify(case, edits)
    if isinstance(settled, Dropped):
        return settled.model_copy(update={"stage": "build", "detail": f"a reviewer's text: {settled.detail}"})
    return make(Case(case.example, case.answer, case.claims, case.verdicts, settled, case.corrupted))


def edits_of_text(case: Case, chosen: str) -> tuple[Edit, ...] | str:
    """Cut the difference between an answer and a corrected text into edits.

    Each takes its error type and severity from the edits and the contradicted verdicts whose words it changes.

    Args:
        case: With an answer, edits and verdicts.
        chosen: The text as it should be.

    Returns:
        The edits in order of position; a reason in words where a change touches nothing that was found wrong, or
        where nothing changes.
    """
    if case.answer is None:
        raise ValueError(f"{case.example.id}: a correction needs an answer")
    answer = case.answer.text
    known = case.edits.edits if case.edits is not None else ()
    found = [v for v in (case.verdicts.verdicts if case.verdicts is not None else ()) if v.target is not None]
    edits: list[Edit] = []
    for change in _whole_changes(_changes(answer, chosen), [edit.span for edit in known]):
        span = Span(start_char=change.start, end_char=change.end, text=answer[change.start : change.end])
        replacement = chosen[change.new_start : change.new_end]
        touched = [edit for edit in known if _meet(edit.span, span)]
        edit = _like(touched, span, replacement) if touched else _judged(found, span, replacement)
        if edit is None:
            return f"{span.text!r} becomes {replacement!r}, and no verdict found that wrong"
        edits.append(edit.model_copy(update={"phrase_id": len(edits) + 1}))
    return tuple(edits) or "it is the model's own answer"


class _Change(NamedTuple):
    """Characters of the answer and what stands in their place in the corrected text, both half-open."""

    start: int
    end: int
    new_start: int
    new_end: int


def _changes(answer: str, chosen: str) -> list[_Change]:
    old, new = _WORDS.findall(answer), _WORDS.findall(chosen)
    old_at, new_at = _starts(old), _starts(new)
    codes = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [_Change(old_at[i], old_at[j], new_at[k], new_at[m]) for kind, i, j, k, m in codes if kind != "equal"]


def _whole_changes(changes: Sequence[_Change], spans: Sequence[Span]) -> list[_Change]:
    """Widen changes to the whole of the edits that they meet, and join those that then meet each other."""
    joined: list[_Change] = []
    for change in changes:
        left = min([change.start, *(s.start_char for s in spans if _within(change, s))])
        right = max([change.end, *(s.end_char for s in spans if _within(change, s))])
        joined.append(
            _Change(left, right, change.new_start - (change.start - left), change.new_end + (right - change.end))
        )
    merged: list[_Change] = []
    for change in joined:
        if merged and change.start < merged[-1].end:  # one edit met both: the first knows its start, the last its end
            last = merged.pop()
            merged.append(_Change(last.start, change.end, last.new_start, change.new_end))
        else:
            merged.append(change)
    return merged


def _within(change: _Change, span: Span) -> bool:
    return span.start_char < max(change.end, change.start + 1) and change.start < max(
        span.end_char, span.start_char + 1
    )


def _meet(one: Span, other: Span) -> bool:
    return _within(_Change(other.start_char, other.end_char, 0, 0), one)


def _like(touched: Sequence[Edit], span: Span, replacement: str) -> Edit:
    leading = min(touched, key=_insignificant)
    return leading.model_copy(
        update={
            "span": span,
            "replacement": replacement,
            "claim_ids": tuple(dict.fromkeys(claim for edit in touched for claim in edit.claim_ids)),
            "lesion_linked": any(edit.lesion_linked for edit in touched),
            "grown": False,
        }
    )


def _insignificant(edit: Edit) -> bool:
    return edit.severity == "insignificant"


def _judged(found: Sequence[Verdict], span: Span, replacement: str) -> Edit | None:
    for verdict in found:
        if verdict.target is not None and verdict.error_type is not None and _meet(verdict.target, span):
            return Edit(
                phrase_id=1,
                span=span,
                claim_span=verdict.target,
                replacement=replacement,
                error_type=verdict.error_type,
                severity=verdict.severity,
                claim_ids=(verdict.claim_id,),
            )
    return None


def _starts(words: Sequence[str]) -> list[int]:
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word))
    return starts
