"""A finding that is not there: its phrase, or the whole list it stands in, said with "no".

Follows the conventions for spans: the edit covers the noun phrase with its determiner and empty modifiers, a list
that is wrong as a whole is one edit, a mixed list is one edit per run of conjuncts with its coordinator, a
predicate gets its opposite.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from medprefkit.edit.alternatives import leave_out, stand_for
from medprefkit.edit.change import Change, Refusal, change
from medprefkit.edit.clause import (
    Predicate,
    has_verb,
    image_indicates,
    inclusion_before,
    inference_before,
    is_fragment,
    is_said_to_exist,
    is_shown,
    joint_before,
    predicate_before,
)
from medprefkit.edit.denied_list import OF_NOUN, SEPARATOR, denied_list, join_denied
from medprefkit.edit.noun_phrase import NounPhrase, noun_phrase
from medprefkit.edit.words import DEFINITE, capitalised_like, is_plural
from medprefkit.records import Claim

_COORDINATOR = re.compile(r"(?:,\s*)?(?:\s*\b(?:and/?or|and|or|as\s+well\s+as|along\s+with|with)\s+)|,\s*", re.I)
_FILLED = re.compile(r"\b(?P<filled>(?:completely\s+|largely\s+|partially\s+)?(?:filled|covered)\s+with\s+)$", re.I)
_NORMAL_WORDS = re.compile(
    r"(?:normally|well)[\s-](?:inflated|expanded|aerated)|within normal limits|within normal range|normal in size|"
    r"normal|unremarkable|clear|intact|midline|sharp",
    re.I,
)
_OTHER_PREDICATE = re.compile(
    r"\s+and\s+(?!there\b|the\b|it\b|an?\b|no\b)(?P<words>(?:\w+\s+){0,4}?\w*(?:ed|al|ing|ment|clear|limits)\b)", re.I
)
_ORGAN_BEFORE = re.compile(
    r"\b(?P<det>an?)\s+(?P<organ>(?:heart|mediastinum|trachea|aorta|diaphragm|hemidiaphragm|liver|spleen|kidney)(?:\s+silhouette)?)\s+$",
    re.I,
)
_STAYS = re.compile(
    r"(?:\s+(?:in|of|at)\s+[\w\s-]{1,40}?)?\s+(?:is|are|appears?|remains?)\s+(?:\w+ly\s+)?(?:stable|unchanged)(?=\s*(?:[.;]|$))",
    re.I,
)
_JOINED_LEFT = re.compile(r"(?:\band|\bor|,)\s*$", re.I)
_HEAD_OF_LIST = re.compile(
    r"(?:(?:an?|some|the|multiple|several|various|numerous|many|significant|severe|extensive|marked|notable|serious|clear|"
    r"acute|concerning)\s+)*(?:abnormalities|findings|changes|issues|problems|aspects|pathologies|conditions)\s*$",
    re.I,
)
"""Before "including": a word for the list's members, which is empty once they are all denied."""
_APPEARS = re.compile(r"(?P<verb>appears?|seems?)(?:\s+to\s+be)?\s+", re.I)
_ALSO_BAD = re.compile(
    r"\s+and\s+(?:(?:is|are|appears?)\s+)?(?:\w+ly\s+)*(?:damaged|distorted|abnormal|displaced|deformed|irregular|compressed|broken|"
    r"not\s+(?:within\s+normal\s+limits|normal))(?=\s*[,.;]|\s*$)",
    re.I,
)
"""A second predicate that calls the same thing abnormal, and goes with the first."""
_JOINS_PREDICATES = re.compile(r"\s+and\s+(?:(?:is|are|appears?)\s+)?(?:\w+ly\s+)*", re.I)
_FINITE = re.compile(r"(?:\s+(?:in|on|at|of)\s+[\w\s-]{1,40}?)?\s+(?:is|are|was|were|appears?|can|has|have)\b", re.I)
_SIZE_DENIED = re.compile(r"\bno (large|moderate|significant|sizable|massive|severe|marked|gross|overt|frank)\b")
_EITHER_OF = re.compile(r"\bor\b", re.I)
"""In "scarring or atelectasis" nobody affirmed both: one of them cannot be denied alone."""
_INFERRING = re.compile(
    r"\b(?:compatible|consistent|concerning|suggest\w*|indicat\w*|associated|due|related|secondary)\b", re.I
)
_ALTERNATIVES = re.compile(r"\b(?:differential|versus|vs)\b", re.I)
_PRESENCE = re.compile(r"the\s+(?:presence|existence|development)\s+of\b", re.I)
_PROPERTY = re.compile(r"(?:density|intensity|appearance|signal|shadow)$", re.I)
_OWNS = re.compile(r"\b(?:has|have|having|with)\s+$", re.I)
_GOES_ALONG = re.compile(
    r"(?:\s+(?:to(?:wards?)?|from)\s+(?:the\s+)?(?:midline|(?:left|right|opposite|other|contralateral|affected)(?:\s+side)?|one\s+side)"
    r"(?:\s+of\s+the\s+(?:chest|body|thorax|thoracic\s+cavity|chest\s+cavity))?)?"
    r"(?:\s+(?:due\s+to|because\s+of|as\s+a\s+result\s+of|secondary\s+to|by)\s+[^,.;:]{1,80}?)?"
    r"(?=\s*(?:[,.;]|$)|\s+(?:and|but|indicating|suggesting|indicative|suggestive|consistent)\b)",
    re.I,
)
"""What is said of a predicate that goes: where a structure is shifted to, and by what."""
_REACHED = re.compile(
    r"(?:\s+(?:in|on|at|of|within|throughout)\s+[\w\s-]{1,40}?)?(?:\s*,\s*(?:(?:and|or)\s+)?|\s+(?:and|or)\s+)"
    r"(?!(?:and|or|an?|the|no|multiple|several|numerous|some|another|there|it|with|indicat\w+|suggest\w+|which|likely)\b)(?=\w)",
    re.I,
)
_MORE = re.compile(
    r"\s+(?:more|most|greater|greatest|worse|worst)\s+(?:pronounced|prominent|marked|conspicuous|evident|extensive|severe|on|in)\b[^.;,]*?(?=\s*(?:[.;,]|$))",
    re.I,
)
"""How a thing is distributed goes with it: "more pronounced in the lower lungs"."""
_NEXT_CHARS = 25
"""So far after a coordinator the next wrong phrase may begin: room for its modifiers."""
_CUT_END = re.compile(
    r"(?P<tail>(?:\s+(?:infection|process|condition|issues?|disease|problems?|pathology|cells?))?"
    r"(?:\s+(?:to|on|in|at|within|towards?|or|and\s+(?:other|possibl[ey]|potential(?:ly)?|widespread|related|associated))\s+"
    r"(?:(?!\b(?:is|are|was|were|there|has|have|shows?|appears?)\b)[^,.;]){1,60}?)?)\s*(?:[.;,]|$)"
)


@dataclass(frozen=True, slots=True)
class Listed:
    """What stands around a run of denied conjuncts: members of the same list that stay, and predicates that go too.

    Attributes:
        before: The last member before the run that stays.
        after: The first member after the run that stays.
        n_before: How many stay before it.
        n_after: How many stay after it.
        predicates: Where the other wrong predicates of the answer begin.
        hollow: Where general words ("abnormalities") stand that nothing but their list fills.
    """

    before: Claim | None
    after: Claim | None
    n_before: int
    n_after: int
    predicates: frozenset[int] = frozenset()
    hollow: frozenset[int] = frozenset()


def group_phrases(text: str, claims: Sequence[Claim], others: Sequence[Claim]) -> list[list[NounPhrase]]:
    """Join the phrases that stand side by side in one coordination.

    Args:
        text: The answer.
        claims: Affirmed claims to deny, in order of position.
        others: Every other claim of the answer; none may stand between two phrases that are joined.
    """
    groups: list[list[NounPhrase]] = []
    for claim in claims:
        phrase = noun_phrase(text, claim)
        last = groups[-1][-1] if groups else None
        if last is not None and phrase.start < last.end:
            groups[-1].append(phrase)
            continue
        if last is not None and last.claim.sentence == claim.sentence and _joins(text, last, phrase, others):
            groups[-1].append(phrase)
            continue
        groups.append([phrase])
    return groups


def deny_group(text: str, group: Sequence[NounPhrase], listed: Listed, truth: str) -> list[Change | Refusal]:
    """Deny a run of coordinated findings.

    Args:
        text: The answer.
        group: One or more phrases, in order.
        listed: The conjuncts of the same list that stay.
        truth: The reference's words: "no", "no large", or a word of normality for a predicate.

    Returns:
        One change, or one refusal.
    """
    group = [_as_denied(text, p, truth, alone=len(group) == 1) for p in group]
    first = group[0]
    ids = tuple(p.claim.claim_id for p in group)
    floor, ceiling = first.claim.sentence.start_char, first.claim.sentence.end_char
    named_already = first.determiner in DEFINITE and not _PRESENCE.match(text[first.start : first.end])
    if named_already:
        return [Refusal(ids, f"{text[first.start : first.end]!r} speaks of something already named")]
    if _PROPERTY.match(first.claim.span.text) and _OWNS.search(text[floor : first.start]):
        return [Refusal(ids, f"{text[first.start : first.end]!r} is a property, not a finding")]
    if (left_out := leave_out(text, group, ids) or stand_for(text, group, ids)) is not None:
        return [left_out]
    if _ALTERNATIVES.search(first.claim.sentence.text):
        return [Refusal(ids, "it is one of several things that are considered")]
    cut = inference_before(text, floor, first.start)
    if cut is not None and not image_indicates(text, floor, first.start):
        return [_cut_inference(text, cut, group, listed, ids, ceiling)]
    filled = _FILLED.search(text[floor : first.start])
    if filled is not None:
        start = floor + filled.start("filled")
        return [change(start, group[-1].end, f"clear of {join_denied(text, group)}", ids)]
    predicate = predicate_before(text, floor, first.start)
    if predicate is not None and not first.determiner:
        return [_opposite(text, group, predicate, floor, truth, ids, listed.predicates)]
    if _is_clause(text, floor, first.start, group[-1].end, ceiling):
        return [change(first.start, group[-1].end, capitalised_like(denied_list(text, group), text[first.start]), ids)]
    if (called := _called(text, group, floor, truth, ids)) is not None:
        return [called]
    if listed.before is not None or listed.after is not None:
        part = _deny_part(text, group, listed, ids)
        if isinstance(part, Change):
            return [part]
        return [_go_on(text, group, listed, floor, ids) or part]
    including = inclusion_before(text, floor, first.start)
    if including is not None:
        head = _HEAD_OF_LIST.search(text[floor:including])
        alone = _REACHED.match(text, group[-1].end) is None and not (
            head is not None and _JOINED_LEFT.search(text[floor : floor + head.start()])
        )
        if head is not None and alone and not listed.hollow.isdisjoint(range(floor + head.start(), including)):
            return [change(floor + head.start(), group[-1].end, denied_list(text, group), ids)]
        lead = ", with " if text[including] == "," else " with "
        return [change(including, group[-1].end, f"{lead}{denied_list(text, group)}", ids)]
    if not (is_shown(text, floor, first.start) or is_said_to_exist(text, floor, first.start, group[-1].end, ceiling)):
        if (going_on := _go_on(text, group, listed, floor, ids)) is not None:
            return [going_on]
        if (
            is_fragment(text, floor, first.start, group[-1].end, ceiling)
            and _REACHED.match(text, group[-1].end) is None
        ):
            words = capitalised_like(denied_list(text, group), text[first.start])
            return [change(first.start, group[-1].end, words, ids)]
        stable = _STAYS.match(text, group[-1].end)
        if stable is not None and not text[floor : first.start].strip() and len(group) == 1:
            verb = "are" if is_plural(first.denied) else "is"
            words = capitalised_like(f"{denied_list(text, group)} {verb} seen", text[first.start])
            return [change(first.start, stable.end(), words, ids, wrong=(first.start, group[-1].end))]
        return [Refusal(ids, f"the place of {text[first.start : group[-1].end]!r} in its sentence is not certain")]
    replacement = capitalised_like(denied_list(text, group), text[first.start])
    end = group[-1].end
    if (degree := _MORE.match(text, end)) is not None:
        return [change(first.start, degree.end(), replacement, ids, wrong=(first.start, end))]
    return [change(first.start, end, replacement, ids)]


def _called(text: str, group: Sequence[NounPhrase], floor: int, truth: str, ids: tuple[str, ...]) -> Change | None:
    """Call an organ normal that a participle behind it calls otherwise: "a mediastinum shifted to the right"."""
    organ = _ORGAN_BEFORE.search(text[floor : group[0].start])
    if organ is None or len(group) > 1 or group[0].determiner or _NORMAL_WORDS.search(truth) is None:
        return None
    if re.fullmatch(r"\w+(?:ed|en)", text[group[0].start : group[0].end]) is None:
        return None
    start = floor + organ.start("det")
    trailing = _GOES_ALONG.match(text, group[0].end)
    end = trailing.end() if trailing is not None else group[0].end
    return change(start, end, f"a normal {organ['organ']}", ids)


def _is_clause(text: str, floor: int, start: int, end: int, ceiling: int) -> bool:
    """Tell whether the phrase is the subject of a later clause of its own: "there is A, and B is present"."""
    return (
        _FINITE.match(text, end) is not None
        and has_verb(text, floor, start)
        and is_said_to_exist(text, floor, start, end, ceiling)
    )


def _go_on(text: str, group: Sequence[NounPhrase], listed: Listed, floor: int, ids: tuple[str, ...]) -> Change | None:
    """Deny conjuncts that go on with a list: "a mass in the lung, and no effusion"; None where no list goes on.

    What comes next must have a determiner or a denial of its own, or the "no" would reach it.
    """
    start, end = group[0].start, group[-1].end
    joint = joint_before(text, floor, start)
    if joint is None or _FINITE.match(text, end) or _EITHER_OF.search(text[joint.start : start]):
        return None
    reached = _REACHED.match(text, end)
    if reached is not None and listed.predicates.isdisjoint(range(reached.end(), reached.end() + _NEXT_CHARS)):
        return None
    denied = denied_list(text, group)
    if joint.plain:
        return change(start, end, denied, ids)
    return change(joint.start, end, f"{',' if joint.comma else ''} and {denied}", ids, wrong=(start, end))


def _as_denied(text: str, phrase: NounPhrase, truth: str, *, alone: bool) -> NounPhrase:
    """Keep the size word where the reference denies that size only: "no large effusion" denies no small one."""
    sizes = [w for w in _SIZE_DENIED.findall(truth) if alone or w in text[phrase.start : phrase.end].lower()]
    if not sizes:
        return phrase
    lead = OF_NOUN.match(phrase.denied)
    at = lead.end() if lead is not None else 0
    return replace(phrase, denied=f"{phrase.denied[:at]}{sizes[0]} {phrase.denied[at:]}")


def join_predicates(text: str, changes: Sequence[Change]) -> list[Change]:
    """Make one edit of two predicates that are coordinated and both become normal: "enlarged and abnormal" -> "normal".

    Args:
        text: The answer.
        changes: In order of position.
    """
    joined: list[Change] = []
    for made in changes:
        last = joined[-1] if joined else None
        if last is None or not (
            _NORMAL_WORDS.fullmatch(last.replacement) and _NORMAL_WORDS.fullmatch(made.replacement)
        ):
            joined.append(made)
            continue
        if last.start <= made.start and made.end <= last.end:
            joined[-1] = replace(last, claim_ids=last.claim_ids + made.claim_ids)
        elif _JOINS_PREDICATES.fullmatch(text[last.end : made.start]):
            words = min(last.replacement, made.replacement, key=len)
            ids = last.claim_ids + made.claim_ids
            joined[-1] = change(last.start, made.end, words, ids)
        else:
            joined.append(made)
    return joined


def _joins(text: str, last: NounPhrase, phrase: NounPhrase, others: Sequence[Claim]) -> bool:
    between = text[last.end : phrase.start]
    if SEPARATOR.fullmatch(between) is None or _INFERRING.search(between):
        return False
    floor = last.claim.sentence.start_char
    if _FINITE.match(text, phrase.end) and has_verb(text, floor, last.start):
        return False  # "there is A, and B is present": two clauses
    return not any(last.end <= c.span.start_char < phrase.start for c in others if c.role == "statement")


def _cut_inference(
    text: str, cut: int, group: Sequence[NounPhrase], listed: Listed, ids: tuple[str, ...], ceiling: int
) -> Change | Refusal:
    """Delete ", suggesting pneumonia": what is inferred wrongly leaves with its inference."""
    found = _CUT_END.match(text[group[-1].end : ceiling])
    end = group[-1].end + (found.end("tail") if found is not None and found["tail"] else 0)
    if listed.before is not None or listed.after is not None or found is None:
        return Refusal(ids, f"{text[cut:end]!r} does not end its clause")
    left = text[group[0].claim.sentence.start_char : cut].strip()
    if not left or re.search(
        r"\b(?:be|to|is|are|was|were|and|or|may|might|could|of|with|that|which|most|more|also|highly|very)$", left
    ):
        return Refusal(ids, f"no clause would be left before {text[cut:end]!r}")
    return change(cut, end, "", ids)


def _opposite(
    text: str,
    group: Sequence[NounPhrase],
    predicate: Predicate,
    floor: int,
    truth: str,
    ids: tuple[str, ...],
    predicates: frozenset[int],
) -> Change | Refusal:
    """Replace a predicate: "is significantly enlarged" -> "is normal", or "not enlarged" where only that is known."""
    start, end = predicate.start, group[-1].end
    subject = text[floor:start].lower()
    being = re.search(r"\bbeing\s+$", text[predicate.verb_start : start], re.I)
    if being is not None:
        start = predicate.verb_start + being.start()
    found = _NORMAL_WORDS.search(truth)
    if found is not None and (also := _ALSO_BAD.match(text, end)) is not None:
        end = also.end()
    other = _OTHER_PREDICATE.match(text, end)
    if other is not None and predicates.isdisjoint(range(other.start("words"), other.end())):
        return Refusal(ids, f"{text[start:end]!r} is coordinated with another predicate")
    if found is None:
        if len(group) > 1:
            return Refusal(ids, f"{text[start:end]!r} has no one opposite")
        if (appears := _APPEARS.fullmatch(text[predicate.verb_start : group[0].claim.phrase.start_char])) is not None:
            verb = f"{'do' if predicate.plural else 'does'} not {appears['verb'].rstrip('s')}"
            rest = text[predicate.verb_start + appears.end("verb") : end]
            return change(predicate.verb_start, end, f"{verb}{rest}", ids)
        return change(start, end, f"not {text[group[0].claim.phrase.start_char : end]}", ids)
    words = found[0].lower()
    if (trailing := _GOES_ALONG.match(text, end)) is not None:
        end = trailing.end()
    if words == "normal" and re.search(r"\bheart\b(?! size)", subject) and "enlarged" in text[start:end].lower():
        words = "normal in size"
    return change(start, end, words, ids)


def _deny_part(text: str, group: Sequence[NounPhrase], listed: Listed, ids: tuple[str, ...]) -> Change | Refusal:
    """Deny the first or the last conjuncts of a list and keep the others: "A and no B" needs its coordinator."""
    start, end = group[0].start, group[-1].end
    if listed.before is not None and listed.after is None:
        gap = text[listed.before.phrase.end_char : start]
        found = list(_COORDINATOR.finditer(gap))
        if (
            not found
            or found[-1].end() != len(gap)
            or _EITHER_OF.search(gap)
            or (listed.n_before > 1 and gap.strip() == ",")
        ):
            return Refusal(ids, f"{text[start:end]!r} is not joined to the list before it by a plain coordinator")
        at = listed.before.phrase.end_char + found[-1].start()
        lead = ", but " if found[-1][0].startswith(",") and listed.n_before > 1 else " but "
        body = f"{lead}{denied_list(text, group)}"
        if (degree := _MORE.match(text, end)) is not None:
            return change(at, degree.end(), body, ids, wrong=(start, end))
        return change(at, end, body, ids, wrong=(at + len(found[-1][0]) - len(found[-1][0].lstrip(" ,")), end))
    if listed.after is not None and listed.before is None:
        stop = listed.after.phrase.end_char
        if _FINITE.match(text, stop) and has_verb(text, group[0].claim.sentence.start_char, start):
            return change(start, end, denied_list(text, group), ids)  # what comes after begins a clause
        after = noun_phrase(text, listed.after).start
        gap = text[end:after]
        if inclusion_before(text, group[0].claim.sentence.start_char, start) is not None and _COORDINATOR.fullmatch(
            gap
        ):
            return change(start, after, "", ids, wrong=(start, end))  # the list goes on without its first members
        if (
            _COORDINATOR.fullmatch(gap) is None
            or _EITHER_OF.search(gap)
            or not is_shown(text, group[0].claim.sentence.start_char, start)
        ):
            return Refusal(ids, f"{text[start:end]!r} is not joined to the list after it by a plain coordinator")
        return change(start, after, f"{denied_list(text, group)} but ", ids, wrong=(start, end))
    return Refusal(ids, f"{text[start:end]!r} stands in the middle of a list whose other members stay")
