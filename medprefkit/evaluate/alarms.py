"""Texts judged against themselves: nothing may be called wrong. What is, by rule.

A verdict that leads to no edit costs a pair, one that does costs a wrong correction: both are counted.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from medprefkit.evaluate.readings import Judged
from medprefkit.records import Span

_AROUND = 60
"""Characters of context on each side."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Words that were called wrong by a text that holds them.

    Attributes:
        id: Of the text.
        rule: That decided.
        error_type: That it was called.
        before: Characters before the words.
        words: What was called wrong.
        after: Characters after them.
        evidence: Quoted from the same text.
        edited: Whether an edit of these words was kept.
        becomes: What the edit puts there.
    """

    id: str
    rule: str
    error_type: str
    before: str
    words: str
    after: str
    evidence: str
    edited: bool
    becomes: str


@dataclass(frozen=True, slots=True)
class SelfReport:
    """The alarms over texts judged against themselves.

    Attributes:
        n_texts: Texts.
        n_claims: Claims in them.
        n_edited: Texts with an edit.
        n_contradicted: Texts with something called wrong, edited or not.
        outcomes: What became of the texts: `edited`, or the reason why nothing is edited -> texts.
        by_rule: Rule -> alarms, the commonest first.
        alarms: All of them, those with an edit first, then by rule and text.
    """

    n_texts: int
    n_claims: int
    n_edited: int
    n_contradicted: int
    outcomes: dict[str, int]
    by_rule: dict[str, int]
    alarms: tuple[Alarm, ...]

    def as_json(self) -> dict[str, object]:
        """Return plain dictionaries and numbers."""
        return asdict(self)


def count_alarms(judged: Iterable[tuple[str, Judged]]) -> SelfReport:
    """Count what is called wrong in texts, each given with its id."""
    items = list(judged)
    alarms = list(itertools.chain.from_iterable(_alarms(name, text) for name, text in items))
    return SelfReport(
        n_texts=len(items),
        n_claims=sum(len(text.claims) for _, text in items),
        n_edited=sum(bool(text.kept) for _, text in items),
        n_contradicted=sum(bool(text.contradicted) for _, text in items),
        outcomes=dict(Counter(text.outcome for _, text in items).most_common()),
        by_rule=dict(Counter(alarm.rule for alarm in alarms).most_common()),
        alarms=tuple(sorted(alarms, key=_edited_first)),
    )


def describe_alarms(report: SelfReport) -> str:
    """Return the counts and every alarm as lines."""
    lines = [
        f"{report.n_texts} texts judged against themselves, {report.n_claims} claims",
        f"{report.n_edited:6d}  texts edited (should be 0)",
        f"{report.n_contradicted:6d}  texts with something called wrong",
        *(f"{n:6d}  alarms by {rule}" for rule, n in report.by_rule.items()),
        *(f"{n:6d}  texts: {outcome.replace('_', ' ')}" for outcome, n in report.outcomes.items()),
    ]
    for alarm in report.alarms:
        change = f" -> {alarm.becomes or '(nothing)'}" if alarm.edited else "  not edited"
        lines += [
            "",
            f"{_line(alarm.id)}  {alarm.rule}, {alarm.error_type}{_line(change)}",
            f"    ...{_line(alarm.before)}[{_line(alarm.words)}]{_line(alarm.after)}...",
            f"    evidence: {_line(alarm.evidence) or '(none)'}",
        ]
    return "\n".join(lines)


def _alarms(name: str, judged: Judged) -> Sequence[Alarm]:
    alarms = []
    for verdict in judged.contradicted:
        target = verdict.target
        if target is None:
            continue
        edit = next((e for e in judged.kept if verdict.claim_id in e.claim_ids or _overlap(e.span, target)), None)
        alarms.append(
            Alarm(
                id=name,
                rule=verdict.rule,
                error_type=str(verdict.error_type),
                before=judged.text[max(0, target.start_char - _AROUND) : target.start_char],
                words=target.text,
                after=judged.text[target.end_char : target.end_char + _AROUND],
                evidence=verdict.evidence,
                edited=edit is not None,
                becomes=edit.replacement if edit is not None else "",
            )
        )
    return alarms


def _overlap(a: Span, b: Span) -> bool:
    return a.start_char < b.end_char and b.start_char < a.end_char


def _line(text: str) -> str:
    """Return the text on one line, without characters that steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def _edited_first(alarm: Alarm) -> tuple[bool, str, str]:
    return not alarm.edited, alarm.rule, alarm.id
