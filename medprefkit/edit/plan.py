"""The plan for one answer: which step turns which verdict, what follows from a removal, and what stands or falls
together.

Knows the order of the steps; the grammar of each is in its own file.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from medprefkit.edit.abnormality import affirm_against_normal
from medprefkit.edit.affirmation import affirm_group, join_shown
from medprefkit.edit.body import flip_body, flip_restated
from medprefkit.edit.change import Change, Refusal, change
from medprefkit.edit.decisions import linked_claims
from medprefkit.edit.deletion import (
    delete_phrase,
    delete_sentence,
    delete_word,
    dependent_sentence,
    last_clause,
    trailing_gloss,
    trailing_inference,
)
from medprefkit.edit.denial import Listed, deny_group, group_phrases, join_predicates
from medprefkit.edit.neighbours import fit_article, turn_coordinators
from medprefkit.edit.noun_phrase import NounPhrase
from medprefkit.edit.replacement import replace_attributes, replace_list
from medprefkit.edit.words import capitalised_like
from medprefkit.offsets import is_boundary
from medprefkit.records import Case, Claim, Verdict

_DELETED = frozenset({"unsupported_context", "recommendation", "meta_text", "wrong_temporal", "wrong_knowledge"})
_THINGS = frozenset({"finding", "device"})
_RENAMED = frozenset({"wrong_modality", "wrong_view_plane", "wrong_organ", "wrong_diagnosis"})
_DENIES_ANEW = re.compile(r"\b(?:no|not|without|nor|free|negative)\b", re.I)
_NO_BEFORE = re.compile(r"\bno\s+(?:\w+\s+)?$", re.I)
_REASON = re.compile(r"\b(?:because|since|as\s+evidenced|as\s+it\s+(?:shows|is)|based\s+on)\b", re.I)
_VIEW = re.compile(r"\b(?:AP|PA|axial|coronal|sagittal|lateral|frontal|transverse)\b", re.I)
_LEAD_WORDS = 5
"""At most so many words ("In this case,") before the words that point back, for a sentence to be about the thing."""


@dataclass(slots=True)
class Outcome:
    """Changes and refusals of one answer.

    Attributes:
        changes: In order of position and disjoint once the plan is carried out.
        refusals: What could not be put right, and why.
    """

    changes: list[Change] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    def add(self, made: Change | Refusal) -> None:
        """File what a step returned."""
        if isinstance(made, Change):
            self.changes.append(made)
        else:
            self.refusals.append(made)


class Plan:
    """The steps for one answer, in the order that lets a later step see what an earlier one removed."""

    def __init__(self, case: Case, text: str, claims: Sequence[Claim], verdicts: dict[str, Verdict]) -> None:
        self._case = case
        self._text = text
        self._claims = claims
        self._verdicts = verdicts
        self._wrong = [c for c in claims if c.claim_id in verdicts]
        self._predicates = frozenset(
            c.phrase.start_char for c in self._wrong if c.kind in {"normality", "finding"} and c.role != "yes_no"
        )
        self._hollow = frozenset(
            c.span.start_char
            for c in claims
            if c.claim_id not in verdicts and c.concept.endswith("abnormality") and self._label(c) == "unverifiable"
        )
        self._made = Outcome()

    def carry_out(self) -> Outcome:
        """Return the changes that hold together, in order of position, and what was refused."""
        handled: set[str] = set()
        for take in (self._dependents, self._deletions, self._words, self._denials, self._affirmations, self._bodies):
            handled |= take([c for c in self._wrong if c.claim_id not in handled])
        for claim in self._wrong:
            if claim.claim_id not in handled:
                self._made.add(Refusal((claim.claim_id,), f"no step edits a {claim.kind} that is {claim.polarity}"))
        self._yes_no()
        self._follow_removals()
        self._settle()
        return self._made

    def _verdict(self, claim: Claim) -> Verdict:
        return self._verdicts[claim.claim_id]

    def _label(self, claim: Claim) -> str:
        rulings = self._case.verdicts.verdicts if self._case.verdicts is not None else ()
        return next((v.label for v in rulings if v.claim_id == claim.claim_id), "unverifiable")

    def _dependents(self, claims: Sequence[Claim]) -> set[str]:
        """Delete the sentences that speak further of what is not there."""
        taken: set[str] = set()
        for claim in claims:
            if claim.refers_to not in self._verdicts or self._verdict(claim).truth or claim.claim_id in taken:
                continue
            inside = [c for c in self._claims if c.sentence == claim.sentence]
            first = min(inside, key=_start)
            lead = self._text[first.sentence.start_char : first.phrase.start_char]
            about = first.refers_to in self._verdicts and len(lead.split()) <= _LEAD_WORDS
            nothing_else = all(c.claim_id in self._verdicts and not self._verdict(c).truth for c in inside)
            if not (about or nothing_else) or any(_must_stay(c, self._verdicts) for c in inside):
                self._made.add(self._dependent_clause(claim))
                taken.add(claim.claim_id)
                continue
            made = delete_sentence(self._text, claim)
            ids = tuple(c.claim_id for c in inside if c.claim_id in self._verdicts)
            self._made.add(replace(made, claim_ids=ids))
            taken |= set(ids)
        return taken

    def _dependent_clause(self, claim: Claim) -> Change | Refusal:
        """Delete the clause that speaks further of what is not there, at the end of a sentence that stays."""
        found = last_clause(self._text, claim)
        if found is None:
            return Refusal((claim.claim_id,), "its sentence also says what is true")
        inside = [c for c in self._claims if found.start <= c.span.start_char < found.end and c.role != "definition"]
        if any(c.claim_id not in self._verdicts for c in inside):
            return Refusal((claim.claim_id,), "its sentence also says what is true")
        return found

    def _deletions(self, claims: Sequence[Claim]) -> set[str]:
        taken = [c for c in claims if self._verdict(c).error_type in _DELETED and not self._verdict(c).truth]
        for claim in taken:
            target = self._verdict(claim).target
            if target is not None and target != claim.phrase and self._verdict(claim).error_type == "wrong_temporal":
                self._made.add(delete_word(self._text, claim, target))
            else:
                self._made.add(delete_phrase(self._text, claim))
        return {c.claim_id for c in taken}

    def _words(self, claims: Sequence[Claim]) -> set[str]:
        """Replace attributes and slots: one word for another."""
        taken = [c for c in claims if self._is_replacement(c)]
        listed: dict[tuple[int, str], list[Claim]] = {}
        for claim in taken:
            if claim.list_id is not None and claim.role == "slot_answer":
                listed.setdefault((claim.list_id, self._verdict(claim).truth), []).append(claim)
            else:
                for made in replace_attributes(self._text, claim, self._verdict(claim)):
                    self._made.add(made)
        for members in listed.values():
            self._made.add(replace_list(self._text, members, self._verdicts))
        return {c.claim_id for c in taken}

    def _is_replacement(self, claim: Claim) -> bool:
        verdict = self._verdict(claim)
        if claim.role == "yes_no" or verdict.truth.lower() in {"", "no"}:
            return False
        return verdict.error_type not in {"false_finding", "false_negation", "self_contradiction", "wrong_device"} or (
            verdict.error_type == "wrong_device" and verdict.target != claim.phrase
        )

    def _denials(self, claims: Sequence[Claim]) -> set[str]:
        taken = [c for c in claims if _says_there_is(c) and c.role != "yes_no"]
        taken.sort(key=_start)
        others = [c for c in self._claims if c not in taken]
        for group in group_phrases(self._text, taken, others):
            truth = " ".join(dict.fromkeys(self._verdict(p.claim).truth for p in group))
            for made in deny_group(self._text, group, self._listed(group), truth):
                self._made.add(made)
        return {c.claim_id for c in taken}

    def _listed(self, group: Sequence[NounPhrase]) -> Listed:
        first, last = group[0].claim, group[-1].claim
        if first.list_id is None:
            return Listed(None, None, 0, 0, self._predicates, self._hollow)
        mates = [
            c
            for c in self._claims
            if c.list_id == first.list_id
            and c.polarity == "affirmed"
            and c not in [p.claim for p in group]
            and not (c.claim_id in self._verdicts and _is_removed(c, self._verdict(c)))
        ]
        before = sorted((c for c in mates if c.span.start_char < first.span.start_char), key=_start)
        after = sorted((c for c in mates if c.span.start_char > last.span.start_char), key=_start)
        return Listed(
            before[-1] if before else None,
            after[0] if after else None,
            len(before),
            len(after),
            self._predicates,
            self._hollow,
        )

    def _affirmations(self, claims: Sequence[Claim]) -> set[str]:
        taken = [
            c
            for c in claims
            if c.polarity == "denied" and c.role != "yes_no" and (c.kind in _THINGS or self._has_no(c))
        ]
        taken.sort(key=_start)
        done: set[str] = set()
        for claim in taken:
            if claim.claim_id in done:
                continue
            together = self._denied_with(claim)
            mates = [c for c in together if c in taken]
            self._made.add(affirm_group(self._text, mates, [c for c in together if c not in taken]))
            done |= {c.claim_id for c in mates}
        return done

    def _has_no(self, claim: Claim) -> bool:
        """Tell whether an organ or plane is denied by "no" rather than by its verb."""
        left = self._text[claim.sentence.start_char : claim.span.start_char]
        return claim.kind != "normality" and _NO_BEFORE.search(left) is not None

    def _denied_with(self, claim: Claim) -> list[Claim]:
        """Return the claims that one denial reaches, in order: those of its list up to the next "no"."""
        if claim.list_id is None:
            return [claim]
        listed = [c for c in self._claims if c.list_id == claim.list_id and c.polarity == "denied"]
        groups: list[list[Claim]] = []
        for member in sorted(listed, key=_start):
            gap = self._text[groups[-1][-1].phrase.end_char : member.span.start_char] if groups else "no"
            if _DENIES_ANEW.search(gap) is not None:
                groups.append([])
            groups[-1].append(member)
        return next(group for group in groups if claim in group)

    def _bodies(self, claims: Sequence[Claim]) -> set[str]:
        """Turn what is neither a finding nor a device: normality, organs, planes, modalities."""
        taken = [c for c in claims if c.role != "yes_no"]
        called_normal: dict[int, list[Claim]] = {}
        for claim in taken:
            if claim.kind == "normality" and claim.polarity == "affirmed":
                called_normal.setdefault(claim.span.start_char, []).append(claim)
            else:
                self._made.add(flip_body(self._text, claim, self._claims, self._verdict(claim).truth))
        for together in called_normal.values():
            beside = [c for c in self._claims if c.span == together[0].span and c not in together]
            self._made.add(affirm_against_normal(self._text, together, self._verdicts, beside))
        return {c.claim_id for c in taken}

    def _yes_no(self) -> None:
        """Turn the yes/no word, and the body with it where no claim of the body did."""
        question = next((c for c in self._wrong if c.role == "yes_no"), None)
        if question is None:
            return
        self._made.refusals = [r for r in self._made.refusals if question.claim_id not in r.claim_ids]
        ids = (question.claim_id,)
        start, end = question.span.start_char, question.span.end_char
        self._made.add(
            change(start, end, capitalised_like(self._verdict(question).truth.lower(), self._text[start]), ids)
        )
        rest = self._text[end : question.sentence.end_char]
        if ";" in rest and not any(m.start > end + rest.index(";") for m in self._made.changes):
            self._made.add(Refusal(ids, "a second clause rests on the first word"))
            return
        reason = _REASON.search(rest)
        if reason is not None and not any(m.start >= end + reason.start() for m in self._made.changes):
            self._made.add(Refusal(ids, "the body gives a reason for the first word"))
            return
        if self._verdict(question).truth.lower() == "yes" and self._names_another_view():
            self._made.add(Refusal(ids, "the body names another view than the one asked about"))
            return
        linked = linked_claims(self._claims, self._verdicts)[question.claim_id]
        if linked != frozenset(ids) or self._verdict(question).error_type == "self_contradiction":
            return
        truth = self._verdict(question).truth
        made = flip_restated(self._text, question, self._claims, self._case.example.prompt, truth)
        if made is not None:
            self._made.add(made)

    def _names_another_view(self) -> bool:
        """Tell whether the body names another view than the one asked about, and that nobody has judged."""
        asked = self._case.example.prompt
        views = [c for c in self._claims if c.kind == "view_plane" and c.role != "yes_no"]
        if _VIEW.search(asked) is None or any(c.claim_id in self._verdicts for c in views):
            return False
        return any(self._label(c) == "unverifiable" and c.span.text.lower() not in asked.lower() for c in views)

    def _follow_removals(self) -> None:
        """Delete what rests on removed findings: ", indicating ..." and "This mass is ..."."""
        by_id = {c.claim_id: c for c in self._claims}
        firm = [c for c in self._claims if _must_stay(c, self._verdicts)]
        for made in list(self._made.changes):
            heads = [by_id[i] for i in made.claim_ids]
            if len(heads) == 1 and self._verdict(heads[0]).error_type in _RENAMED and made.replacement:
                self._follow_renaming(made, heads[0], firm)
                continue
            if heads and all(self._verdict(c).error_type == "false_negation" and c.role != "yes_no" for c in heads):
                right = [c for c in firm if self._label(c) == "supported"]
                found = trailing_inference(self._text, made.end, heads[-1].sentence.end_char, right, unnamed=False)
                if found is not None and self._free(found):
                    self._made.add(replace(found, claim_ids=made.claim_ids))
                continue
            if not heads or not all(_is_removed(c, self._verdict(c)) for c in heads):
                continue
            sentence = heads[0].sentence
            unnamed = heads[-1].span.text.lower() not in made.replacement.lower()
            found = trailing_inference(self._text, made.end, sentence.end_char, firm, unnamed=unnamed)
            if found is not None and self._free(found):
                self._made.add(replace(found, claim_ids=made.claim_ids))
            nouns = [re.split(r"\s+(?:of|in)\s", c.span.text)[0].split()[-1] for c in heads]
            found = dependent_sentence(self._text, sentence.end_char, nouns, firm)
            if found is not None and self._free(found):
                self._made.add(replace(found, claim_ids=made.claim_ids))

    def _follow_renaming(self, made: Change, head: Claim, firm: Sequence[Claim]) -> None:
        """Delete what was said of the replaced name, since it would now be said of the new one."""
        verdict = self._verdict(head)
        if head.role == "yes_no" or verdict.target is None or verdict.truth.lower() in {"", "no"}:
            return
        gloss = trailing_gloss(self._text, made.end, head.sentence.end_char, firm)
        if isinstance(gloss, Refusal) or (gloss is not None and self._free(gloss)):
            self._made.add(replace(gloss, claim_ids=made.claim_ids))
        nouns = [verdict.target.text, verdict.target.text.split()[-1], "plane", "view", "organ", "modality", "section"]
        found = dependent_sentence(self._text, head.sentence.end_char, nouns, firm)
        if found is not None and self._free(found):
            self._made.add(replace(found, claim_ids=made.claim_ids))

    def _free(self, found: Change) -> bool:
        """Tell whether no other change touches the range, dropping those that lie inside it."""
        crossing = [m for m in self._made.changes if m.start < found.end and found.start < m.end]
        if any(not (found.start <= m.start and m.end <= found.end) for m in crossing):
            return False
        self._made.changes = [m for m in self._made.changes if m not in crossing]
        return True

    def _settle(self) -> None:
        """Keep what is disjoint, cuts no character, and whose whole decision can be carried out."""
        kept: list[Change] = []
        for made in self._fitted(sorted(self._made.changes, key=_range)):
            if not (is_boundary(self._text, made.start) and is_boundary(self._text, made.end)):
                self._made.refusals.append(Refusal(made.claim_ids, "it would cut a character in two"))
            elif kept and made.start < kept[-1].end:
                self._made.refusals.append(Refusal(made.claim_ids, "it overlaps another edit"))
            elif self._text[made.start : made.end] != made.replacement:
                kept.append(made)
        kept = self._with_covered(kept)
        linked = linked_claims(self._claims, self._verdicts)
        refused = {i for r in self._made.refusals for claim_id in r.claim_ids for i in linked[claim_id]}
        self._made.changes = [m for m in kept if refused.isdisjoint(m.claim_ids)]

    def _with_covered(self, changes: list[Change]) -> list[Change]:
        """Take back the refusals of claims whose words another change removes: "shifted due to [the mass]"."""
        by_id = {c.claim_id: c for c in self._claims}
        covered = list(changes)
        for refusal in list(self._made.refusals):
            claims = [by_id[i] for i in refusal.claim_ids]
            for k, made in enumerate(covered):
                if set(refusal.claim_ids).isdisjoint(made.claim_ids) and all(_is_gone(c, made) for c in claims):
                    covered[k] = replace(made, claim_ids=(*made.claim_ids, *refusal.claim_ids))
                    self._made.refusals.remove(refusal)
                    break
        return covered

    def _fitted(self, changes: list[Change]) -> list[Change]:
        """Fit neighbours to each other: predicates that become one, coordinators, and the article before a change."""
        joined = join_shown(self._text, join_predicates(self._text, changes))
        return [fit_article(self._text, made) for made in turn_coordinators(self._text, joined)]


def _is_gone(claim: Claim, made: Change) -> bool:
    if claim.role == "yes_no":
        return False
    inside = made.start <= claim.span.start_char and claim.span.end_char <= made.end
    return inside and claim.span.text.lower() not in made.replacement.lower()


def _says_there_is(claim: Claim) -> bool:
    """Tell whether the claim affirms a thing; "an acute abnormality" denies the normality "no acute abnormality"."""
    if claim.kind == "normality":
        return claim.polarity == "denied" and claim.concept.startswith("no_")
    return claim.kind in _THINGS and claim.polarity == "affirmed"


def _is_removed(claim: Claim, verdict: Verdict) -> bool:
    called_abnormal = claim.kind == "normality" and claim.polarity == "denied"
    return (called_abnormal or _says_there_is(claim)) and verdict.target == claim.phrase


def _must_stay(claim: Claim, verdicts: dict[str, Verdict]) -> bool:
    """Tell whether a deletion may not take the claim along: it is denied or a normality, and nobody calls it wrong."""
    if claim.claim_id in verdicts or claim.role == "definition":
        return False
    return claim.polarity == "denied" or claim.kind == "normality"


def _start(claim: Claim) -> int:
    return claim.span.start_char


def _range(made: Change) -> tuple[int, int]:
    return made.start, made.end
