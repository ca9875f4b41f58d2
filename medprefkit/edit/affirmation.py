"""A finding that is there and was denied: the denial is taken back, and nothing is said of the finding beyond that.

"no pleural effusion" -> "a pleural effusion", "does not show any X" -> "shows X", "are absent" -> "are present".
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from medprefkit.edit.change import Change, Refusal, change
from medprefkit.edit.clause import VerbFlip, affirm_verb, has_verb
from medprefkit.edit.words import capitalised_like, with_article
from medprefkit.records import Claim

_NO = re.compile(
    r"\b(?P<no>no)\s+(?P<lead>(?:(?:apparent|visible|definite|obvious|clear|convincing|significant|discernible|detectable|"
    r"noticeable|further|other|such|evident)\s+)*)(?P<of>(?:evidence|signs?|indications?|findings?|mention|residuals|residua|sequelae)\s+(?:of|for)\s+"
    r"(?:any\s+|an?\s+)?)?$",
    re.I,
)
_WITHOUT = re.compile(
    r"\b(?P<no>without)\s+(?P<any>any\s+)?(?P<of>(?:evidence|signs?|indications?)\s+of\s+(?:any\s+|an?\s+)?)?$", re.I
)
_FREE = re.compile(
    r"\b(?P<be>is|are|appears?)\s+(?:\w+ly\s+)?(?P<no>(?:clear|free)\s+(?:of|from)\s+)(?:any\s+)?$", re.I
)
_NEGATIVE_FOR = re.compile(r"\b(?P<no>negative)\s+for\s+$", re.I)
_ABSENT = re.compile(
    r"\s+(?:is|are|was|were)\s+(?P<absent>absent|not\s+(?:seen|present|identified|noted|observed|visible|visualized|"
    r"evident|detected|appreciated))\b",
    re.I,
)
_SEPARATOR = re.compile(
    r"(?P<place>\s+(?:in|of|at|within|on)\s+[\w\s-]{1,40}?)?(?P<comma>\s*,)?\s+(?P<or>or|nor|and)?\s*(?:any\s+|an?\s+)?"
    r"(?P<of>(?:signs?|evidence|indications?)\s+of\s+)?(?:any\s+|an?\s+)?",
    re.I,
)
_NO_UNKNOWN = re.compile(
    r"\b(?P<no>no|without)\s+(?!evidence|signs?|indication|change|increase)(?:(?!is\b|are\b|no\b|not\b|in\b|of\b|on\b|with\b|change\b)[\w-]+\s+){0,3}"
    r"(?!in\b|of\b|on\b|with\b)[\w-]+(?P<joint>,?\s+(?:or|nor)\s+(?:any\s+)?)$",
    re.I,
)
"""Something that the lexicon does not know is denied first: "no foreign object or ..."."""
_IN_ORGANS = re.compile(r"\s+(?:in|of|within)\s+(?:the\s+)?[\w\s,-]+?(?=\s*(?:[.;]|$))", re.I)
_NO_SHARED = re.compile(
    r"\b(?P<no>no)\s+(?P<of>(?:signs?|evidence|indications?)\s+of\s+)?(?P<organ>[\w-]+(?:\s+(?:joint|spine|lobe|valve))?)\s+(?:or|and)\s+$",
    re.I,
)
"""A structure that shares its noun with the next: "no shoulder or thoracic spine changes"."""
_OR_UNKNOWN = re.compile(
    r"(?:,?\s+(?:or|nor)|,(?=\s+(?:(?!and\b|but\b|which\b|with\b)[\w-]+\s+){0,3}[\w-]+,?\s+(?:or|nor)\b))\s+(?:(?:evidence|signs?)\s+of\s+)?",
    re.I,
)
"""... or last: "no effusion or foreign object"."""
_SINGULAR_VERB = re.compile(r"(?P<middle>\s+(?:in\s+[\w\s-]{1,40}?\s+)?)(?P<verb>is|was|has)\b")
_PLURAL_OF = {"is": "are", "was": "were", "has": "have"}
_LINKS = re.compile(r"(?:is|are|was|were|appears?|seems?|looks?|remains?)\b", re.I)
"""After these a word that says what something is needs no article."""


def affirm_group(text: str, group: Sequence[Claim], rest: Sequence[Claim]) -> Change | Refusal:
    """Take back the denial of the findings in `group`.

    Args:
        text: The answer.
        group: Denied claims of one coordination that are there, in order.
        rest: The other claims of the same list, which stay denied.
    """
    ids = tuple(c.claim_id for c in group)
    first, last = group[0], group[-1]
    floor, ceiling = first.sentence.start_char, first.sentence.end_char
    if (absent := _ABSENT.match(text[last.phrase.end_char : ceiling])) is not None and not rest:
        start = last.phrase.end_char + absent.start("absent")
        words = "present" if absent["absent"].lower() == "absent" else absent["absent"].split(None, 1)[1]
        return change(start, last.phrase.end_char + absent.end("absent"), words, ids)
    leader = min([first, *rest], key=_start)
    left_end = _denied_from(text, leader)
    found = _NO.search(text[floor:left_end]) or _WITHOUT.search(text[floor:left_end])
    if found is None and not rest and len(group) == 1 and first.anatomy:
        shared = _NO_SHARED.search(text[floor:left_end])
        if shared is not None:  # "no A or B changes": the noun is the one of both
            at = floor + shared.start("no")
            words = f"{shared['of'] or ''}{shared['organ']} and {_item(text, first)}"
            return change(at, last.phrase.end_char, capitalised_like(words, text[at]), ids)
    if found is None and not rest and (led := _NO_UNKNOWN.search(text[floor:left_end])) is not None:
        with_ = "with " if led["no"].lower() == "without" else ""
        body = _enumerated([_item(text, c) for c in group], "and", bare=False)
        at = floor + led.start("joint")
        return change(at, last.phrase.end_char, f" but {with_}{body}", ids)
    if found is not None and (more := _OR_UNKNOWN.match(text, last.phrase.end_char, ceiling)) is not None and not rest:
        no, of = found["no"].lower(), re.sub(r"(?:any|an?) $", "", found["of"] or "")
        body = _enumerated([_item(text, c) for c in group], "and", bare=bool(of))
        words = f"{'with ' if no == 'without' else ''}{of}{body} but {no} {of}"
        at = floor + found.start("no")
        return change(at, more.end(), capitalised_like(words, text[at]), ids, wrong=(at, last.phrase.end_char))
    if found is not None:
        if rest:
            return _affirm_part(text, group, rest, floor + found.start("no"), found, ids)
        return _affirm_all(text, group, floor + found.start("no"), found, ids)
    return _affirm_verb(text, group, rest, floor, left_end, ids)


def join_shown(text: str, changes: Sequence[Change]) -> list[Change]:
    """Make one edit of "normal" and the "without ..." after it: "is normal without X" -> "shows X".

    Args:
        text: The answer.
        changes: In order of position.
    """
    joined: list[Change] = []
    for made in changes:
        last = joined[-1] if joined else None
        shows = last is not None and re.match(r"shows?\s", last.replacement) is not None
        if last is not None and shows and made.replacement.startswith("with ") and text[last.end : made.start] == " ":
            ids = last.claim_ids + made.claim_ids
            joined[-1] = change(last.start, made.end, last.replacement, ids)
        else:
            joined.append(made)
    return joined


def _affirm_all(
    text: str, group: Sequence[Claim], start: int, found: re.Match[str], ids: tuple[str, ...]
) -> Change | Refusal:
    last = group[-1]
    # a telegram has no articles: "no effusion ." -> "effusion ."
    telegram = not has_verb(text, last.sentence.start_char, last.sentence.end_char)
    telegram = telegram and not text[last.sentence.start_char : start].strip()
    body = _listed(text, group, "and", bare=bool(found["of"]) or telegram)
    if body is None:
        return Refusal(ids, "the denied list is not a plain coordination")
    if found["no"].lower() == "without":
        words = f"with {found['of'] or ''}{body}"
    elif found["of"]:
        noun = re.sub(r"^sign of|^indication of", _plural_noun, found["of"], flags=re.I)
        words = f"{re.sub(r'(?:any|an?) $', '', noun)}{body}"
    else:
        words = body
    words = capitalised_like(words, text[start])
    end = last.phrase.end_char
    if len(group) == 1 and last.concept == "abnormality" and len(last.anatomy) > 1:
        place = _IN_ORGANS.match(text, end, last.sentence.end_char)  # what is denied of them all is one phrase
        if place is not None:
            return change(start, place.end(), f"{words}{place[0]}", ids)
    verb = _SINGULAR_VERB.match(text[end : last.sentence.end_char])
    if len(group) > 1 and not found["of"] and verb is not None:
        stop = end + verb.end("verb")
        return change(start, stop, f"{words}{verb['middle']}{_PLURAL_OF[verb['verb']]}", ids, wrong=(start, end))
    return change(start, end, words, ids)


def _affirm_part(
    text: str, group: Sequence[Claim], rest: Sequence[Claim], start: int, found: re.Match[str], ids: tuple[str, ...]
) -> Change | Refusal:
    """Affirm some of a denied list: "no A or B" -> "an A but no B", "no A, B or C" -> "no A or C, but a B"."""
    first, last = group[0], group[-1]
    members = sorted([*group, *rest], key=_start)
    before = [c for c in rest if _start(c) < _start(first)]
    after = [c for c in rest if _start(c) > _start(last)]
    end = members[-1].phrase.end_char
    if re.match(r"\s*,?\s*(?:or|nor)\b", text[end : last.sentence.end_char]):
        return Refusal(ids, "it stands in a denied list whose other members stay")
    gaps = [_SEPARATOR.fullmatch(text[a.phrase.end_char : _denied_from(text, b)]) for a, b in pairwise(members)]
    if any(gap is None for gap in gaps):
        return Refusal(ids, "the denied list is not a plain coordination")
    no = "without" if found["no"].lower() == "without" else "no"
    of = re.sub(r"(?:any|an?) $", "", found["of"] or "")
    telegram = not has_verb(text, last.sentence.start_char, last.sentence.end_char)
    body = _enumerated([_item(text, c) for c in group], "and", bare=bool(of) or telegram)
    there = f"{'with ' if no == 'without' else ''}{of}{body}"
    if len(before) + len(after) == len(rest) and not before:
        kept = _enumerated([_item(text, c) for c in after], "or", bare=True)
        words = capitalised_like(f"{there} but {no} {of}{kept}", text[start])
        return change(start, end, words, ids, wrong=(start, last.phrase.end_char))
    kept = _enumerated([_item(text, c) for c in rest], "or", bare=True)
    if not before:
        words = f"{text[start : start + len(no)]} {of}{kept}, but {there}"
        return change(start, end, words, ids, wrong=(start, last.phrase.end_char))
    wrong = (before[-1].phrase.end_char, last.phrase.end_char)
    if len(rest) == 1:
        return change(wrong[0], end, f" but {there}", ids, wrong=wrong)
    words = f"{kept}, but {there}"
    starts = [_denied_from(text, c) for c in members[: len(before)]]
    same = 0  # characters of the list that stay where they are
    while starts[0] + same < wrong[0] and words[same] == text[starts[0] + same]:
        same += 1
    from_ = wrong[0] if starts[0] + same >= wrong[0] else max(s for s in starts if s <= starts[0] + same)
    return change(from_, end, words[from_ - starts[0] :], ids, wrong=wrong)


def _enumerated(items: Sequence[str], conjunction: str, *, bare: bool) -> str:
    """Return "A", "A or B", "A, B, or C"."""
    named = list(items) if bare else [with_article(item) for item in items]
    if len(named) < 3:
        return f" {conjunction} ".join(named)
    return f"{', '.join(named[:-1])}, {conjunction} {named[-1]}"


def _affirm_verb(
    text: str, group: Sequence[Claim], rest: Sequence[Claim], floor: int, left_end: int, ids: tuple[str, ...]
) -> Change | Refusal:
    left = text[floor:left_end]
    first = group[0]
    if rest:
        return Refusal(ids, "it stands in a denied list whose other members stay")
    if (found := _FREE.search(left)) is not None:
        body = _listed(text, group, "and", bare=False)
        if body is None:
            return Refusal(ids, "the denied list is not a plain coordination")
        verb = "show" if found["be"].lower() in {"are", "appear"} else "shows"
        return change(floor + found.start("be"), group[-1].phrase.end_char, f"{verb} {body}", ids)
    if (found := _NEGATIVE_FOR.search(left)) is not None and len(group) == 1:
        return change(floor + found.start("no"), floor + found.end("no"), "positive", ids)
    flip = affirm_verb(text, floor, max(left_end, first.phrase.end_char), last=True)
    if flip is None:
        return Refusal(ids, f"the words that deny {first.span.text!r} are not known")
    gap = text[flip.end : left_end]
    if (
        flip.end <= left_end
        and re.fullmatch(r"\s+(?:any\s+)?(?:(?:signs?|evidence)\s+of\s+)?(?:(?:any|an?)\s+)?", gap) is None
    ):
        return Refusal(ids, f"other words stand between the denial and {first.span.text!r}")
    if len(group) > 1:
        return _affirm_verb_of_list(text, group, flip, gap, ids)
    if flip.end > left_end:
        return change(flip.start, flip.end, flip.replacement, ids)
    if (negated := re.search(r"\s*\bnot$", text[flip.start : flip.end])) is not None and not gap.strip():
        # "is not enlarged": the predicate is what is wrong, the copula stays
        start = flip.start + negated.end() - len("not")
        return change(start, first.phrase.end_char, _item(text, first), ids)
    end = first.phrase.end_char
    item = _item(text, first)
    of = re.sub(r"\bany\s+", "", gap) if re.search(r"\bof\s", gap) else " "
    bare = bool(of.strip()) or _LINKS.match(flip.replacement) is not None
    body = f"{of}{item if bare else with_article(item)}"
    if text[flip.end : end] == body:
        return change(flip.start, flip.end, flip.replacement, ids)
    return change(flip.start, end, f"{flip.replacement}{body}", ids)


def _affirm_verb_of_list(
    text: str, group: Sequence[Claim], flip: VerbFlip, gap: str, ids: tuple[str, ...]
) -> Change | Refusal:
    """Affirm "does not show any A or B": "shows A and B"."""
    body = _listed(text, group, "and", bare=bool(re.search(r"\bof\s", gap)))
    if body is None or flip.end > _denied_from(text, group[0]):
        return Refusal(ids, "a verb is denied of several findings")
    of = re.sub(r"\bany\s+", "", gap) if re.search(r"\bof\s", gap) else " "
    return change(flip.start, group[-1].phrase.end_char, f"{flip.replacement}{of}{body}", ids)


def _listed(text: str, group: Sequence[Claim], conjunction: str, *, bare: bool) -> str | None:
    """Return "A, B, and C" with articles where they belong, or None where other words stand between the items."""
    items = [_item(text, c) for c in group]
    pieces = [items[0] if bare else with_article(items[0])]
    for k, (one, two) in enumerate(pairwise(group), start=1):
        found = _SEPARATOR.fullmatch(text[one.phrase.end_char : _denied_from(text, two)])
        if found is None:
            return None
        joint = f"{found['place'] or ''}{', ' if found['comma'] else ' '}"
        if found["or"] or k == len(group) - 1:
            joint += f"{conjunction} "
        of = found["of"] or ""
        pieces += [joint, of, items[k] if bare or of else with_article(items[k])]
    return "".join(pieces)


def _item(text: str, claim: Claim) -> str:
    """Return the claim's words without its denial."""
    return text[_denied_from(text, claim) : claim.phrase.end_char]


def _denied_from(text: str, claim: Claim) -> int:
    """Return where the denied thing begins, after any "no", "no evidence of" or article that the phrase holds."""
    start, stop = claim.phrase.start_char, claim.span.start_char
    found = re.match(
        r"(?:(?:no|without|any|an?|not)\s+)*(?:(?:apparent|visible|definite|obvious|clear|convincing|discernible|"
        r"detectable|noticeable|evident)\s+)*(?:(?:evidence|signs?|indications?)\s+of\s+(?:any\s+|an?\s+)?)?",
        text[start:stop],
        re.I,
    )
    return start + (found.end() if found is not None else 0)


def _plural_noun(found: re.Match[str]) -> str:
    return {"sign of": "signs of", "indication of": "indications of"}[found[0].lower()]


def _start(claim: Claim) -> int:
    return claim.phrase.start_char
