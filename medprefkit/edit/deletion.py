"""What leaves as a whole: facts that no image shows, and what rests on a finding that was just removed.

Deletes whole sentences, or clauses that end where a clause may end; anything else is refused.
"""

import re
from collections.abc import Sequence

from medprefkit.edit.change import Change, Refusal, change
from medprefkit.edit.words import article, capitalised_like
from medprefkit.records import Claim, Span

_STARTS_CLAUSE = re.compile(
    r"\s*,?\s*(?:and\s+)?(?:taken|obtained|performed|acquired|after|before|following|during|since|with|without|due|because|"
    r"which|that|who|compared|in\s+comparison|relative|than|from|at\s+the\s+time|in\s+a|of\s+a|as\s+compared|requiring|"
    r"necessitating|warranting|post|status|when|(?:improved|worse|worsened|increased|decreased|progressed|"
    r"enlarged|resolved|larger|smaller|new)\s+(?:since|from|than|compared)|in\s+the\s+setting|for\s+(?:further|the|a|more))\b",
    re.I,
)
_RELATIVE = re.compile(r",?\s+(?:that|which)\s*$", re.I)
_ENDS_CLAUSE = re.compile(r"\s*(?:[.;,!?]|$|\s(?:and|but)\s+(?:there|the|it|no|a|an)\b)")
_TRAILING = re.compile(
    r"(?P<place>(?:\s+(?:(?:is|are)\s+)?(?:visible|seen|present|noted|evident|observed|identified))?\s+(?:in|within|of|on|at|throughout|near|involving)\s+[^,.;:]{1,60}?|\s+(?:is|are)\s+(?:present|seen|noted|identified|visible))?"
    r"(?P<cut>(?:\s+xxxx\s+represent(?:s|ing)|,?\s+(?:which|that)\s+(?:(?:is|are|may|might|could|can|likely|probably|most|xxxx|to|be|"
    r"felt|thought|believed)\s+)+(?:represent\w*|reflect\w*|due|related|consistent|compatible|suggest\w*|indicat\w*))\b[^.;:]*?|"
    r",\s+(?:suggesting|signifying|indicating|indicative\s+of|suggestive\s+of|consistent\s+with|compatible\s+with|"
    r"concerning\s+for|causing|resulting\s+in|leading\s+to|pointing\s+to(?:wards?)?|raising|requiring|representing|"
    r"possibly\s+(?:due|indicating|suggesting)|likely\s+(?:due|indicating|representing)|contributing|compromising|"
    r"which\s+(?:may|might|could|can)?\s*(?:means?|suggests?|indicates?|causes?|is\s+(?:causing|consistent|indicative|"
    r"suggestive|concerning|likely)|are\s+(?:causing|consistent|indicative|suggestive|concerning|likely)|"
    r"be\s+(?:due|related|indicative|caused|a\s+sign)))\b[^.;:]*?)(?=\s*(?:[.;]|$))",
    re.I,
)
_RELATIVE_LOOK = re.compile(
    r"(?P<cut>,?\s+(?:which|that)\s+(?:is|are|appears?)\s+(?:another\b|(?:\w+ly\s+)?\w+(?:ed|ous|ing)\b)[^.,;:]*)\s*(?=[.;]|$)",
    re.I,
)
"""What a removed thing looked like; a definition ("which is a ...") is none."""
_NAMED = re.compile(
    r"(?P<cut>,\s+(?:(?:which\s+is\s+)?(?:also\s+)?(?:known|referred\s+to|termed|called)(?:\s+as)?|a\s+condition\s+(?:known|called))\b[^.;:,]*)"
    r"(?=[.;,]|$)",
    re.I,
)
_GLOSS = re.compile(
    r"(?:\s+(?:plane|view|section|scan|image|region|area|lobe|system|sequence)s?)?"
    r"(?P<cut>,?\s+(?:which|specifically|showing|focusing|highlighting|such\s+as|also\s+known\s+as|responsible|"
    r"as\s+(?:it|the))\b[^.;:]*)(?=[.;:]|$)",
    re.I,
)
_LEAVES_ALONE = re.compile(
    r",?\s+(?:(?:and\s+(?:\w+\s+)?(?:\w+ly\s+)?(?:stable|unchanged)|(?:once\s+)?again)$|(?:\w+ly\s+)?(?:stable|unchanged|similar)\s+\w+\s)",
    re.I,
)
"""Comparisons that a sentence stands without: " and stable", " again", " unchanged from the prior study"."""
_OPENS_LAST = re.compile(
    r",\s+(?:which|as|causing|indicating|suggesting|resulting\s+in|leading\s+to|characterized\s+by|caused\s+by)\b|"
    r",?\s+(?:due\s+to|because\s+of)\b",
    re.I,
)
_NEW_CLAUSE = re.compile(
    r"(?:,|\band|\bbut|\bwhile)\s+(?:there|no|the\s+\w+\s+(?:is|are|appears?)|it\s+is|this)\b", re.I
)
_POINTS_BACK = re.compile(r"\s*(?:(?P<pointing>[Tt]his|That|These|Those|Such)|The)\s+")
_SPEAKS_ON = re.compile(
    r"(?:condition|finding|findings|abnormality|abnormalities|means|"
    r"indicates?|suggests?|could\s+(?:be|indicate)|may\s+(?:be|indicate)|appears?|is\s+an?|"
    r"is\s+(?:most\s+|highly\s+)?(?:concerning|suspicious|worrisome|suggestive|consistent|compatible))\b"
)
_VERB_OF_IT = re.compile(r"\s+(?:appears?|is|are|measures?|has|have|occup|seems?|extends?)\b")
_WORD_ENDS = re.compile(r"\b")
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")


def delete_phrase(text: str, claim: Claim) -> Change | Refusal:
    """Delete the claim's phrase: the whole sentence if that is all it says, else a clause that may go."""
    ids = (claim.claim_id,)
    sentence = claim.sentence
    start, end = claim.phrase.start_char, claim.phrase.end_char
    left = text[sentence.start_char : start].strip()
    right = text[end : sentence.end_char].strip(" .!?")
    if not right and (
        not left or left.rstrip(",").lower() in {"however", "additionally", "therefore", "overall", "and"}
    ):
        return delete_sentence(text, claim)
    if left and _LEAVES_ALONE.match(claim.phrase.text) is not None:
        return change(claim.phrase.start_char, end, "", ids)
    if (relative := _RELATIVE.search(text[sentence.start_char : start])) is not None:
        start = sentence.start_char + relative.start()
    elif left and not left.endswith(","):
        before = text[sentence.start_char : start]
        start -= len(before) - len(before.rstrip())
    elif left:
        start = text.rindex(",", sentence.start_char, start)
    if re.search(r"\b(?:is|was|are|were|be|been)$", text[sentence.start_char : start]):
        return _whole_clause(text, claim, start, end)
    if not left or _STARTS_CLAUSE.match(text[start:end]) is None:
        return Refusal(ids, f"{claim.phrase.text!r} is not a clause that can leave by itself")
    if _ENDS_CLAUSE.match(text[end : sentence.end_char]) is None:
        return Refusal(ids, f"{claim.phrase.text!r} does not end its clause")
    return change(start, end, "", ids)


def _whole_clause(text: str, claim: Claim, start: int, end: int) -> Change | Refusal:
    """Delete the sentence of "It was [taken after surgery]", which would be left without a predicate.

    What follows may only say more of what goes (", which is ..."). A relative clause that holds it goes by itself:
    "a postoperative image, which means that it was [taken after surgery]".
    """
    sentence = claim.sentence
    ids = (claim.claim_id,)
    if re.match(r"\s*(?:[.!?]|$|,\s+which\b)", text[end : sentence.end_char]) is None:
        return Refusal(ids, f"{claim.phrase.text!r} does not end its clause")
    relative = list(re.finditer(r",\s+(?:which|meaning|as|and)\b", text[sentence.start_char : start]))
    if not relative:
        return delete_sentence(text, claim)
    at = sentence.start_char + relative[-1].start()
    return change(at, end, "", ids)


def delete_word(text: str, claim: Claim, target: Span) -> Change | Refusal:
    """Delete an adjective before its noun; the article is fitted: "an [unchanged] nodule" -> "a nodule"."""
    ids = (claim.claim_id,)
    rest = re.match(r"(?P<space>\s+)(?P<next>[\w-]+)", text[target.end_char :])
    if rest is None:
        return Refusal(ids, f"{target.text!r} does not stand before its noun")
    end = target.end_char + rest.end("space")
    before = re.search(r"\b(?P<article>an?)\s+$", text[: target.start_char], re.I)
    if before is not None and article(rest["next"]) != before["article"].lower():
        words = capitalised_like(f"{article(rest['next'])} ", before["article"])
        wrong = (target.start_char, target.end_char)
        return change(before.start("article"), end, words, ids, wrong=wrong)
    if target.text[:1].isupper():
        word = rest["next"]
        return change(target.start_char, end + len(word), word[0].upper() + word[1:], ids)
    return change(target.start_char, end, "", ids, wrong=(target.start_char, target.end_char))


def delete_sentence(text: str, claim: Claim) -> Change | Refusal:
    """Delete the claim's sentence with the space that parts it from its neighbour; the last sentence left stays."""
    ids = (claim.claim_id,)
    start, end = claim.sentence.start_char, claim.sentence.end_char
    while end < len(text) and text[end] in ".!?":
        end += 1
    space = len(text[:start]) - len(text[:start].rstrip(" "))
    if text[:start].strip():
        return change(start - space, end, "", ids)
    after = len(text[end:]) - len(text[end:].lstrip(" "))
    if not text[end:].strip():
        return Refusal(ids, "nothing would be left of the answer")
    return change(start, end + after, "", ids)


def last_clause(text: str, claim: Claim) -> Change | None:
    """Return the deletion of the relative or causal clause that ends the claim's sentence and holds it, or None."""
    floor, ceiling = claim.sentence.start_char, claim.sentence.end_char
    opened = [found.start() for found in _OPENS_LAST.finditer(text[floor : claim.span.start_char])]
    end = floor + len(text[floor:ceiling].rstrip(" .!?"))
    if not opened or _NEW_CLAUSE.search(text[floor + opened[-1] + 1 : end]) is not None:
        return None
    return change(floor + opened[-1], end, "", (claim.claim_id,))


def trailing_inference(
    text: str, end: int, sentence_end: int, claims: Sequence[Claim], *, unnamed: bool
) -> Change | None:
    """Return the deletion of what is inferred from a finding that ends at `end` (", indicating ..."), or None.

    Args:
        text: The answer.
        end: One past the removed finding.
        sentence_end: One past its sentence.
        claims: The answer's claims that the deletion must not take along: what is denied, right, or said of history.
        unnamed: The concept is named no more, so that "known as ..." goes too.
    """
    rest = text[end:sentence_end]
    found = (
        _TRAILING.match(rest)
        or _RELATIVE_LOOK.match(rest)
        or (_NAMED.match(text[end:sentence_end]) if unnamed else None)
    )
    if found is None or _NEW_CLAUSE.search(found["cut"]) is not None:
        return None
    start, stop = end + found.start("cut"), end + found.end("cut")
    if any(start <= c.span.start_char < stop for c in claims):
        return None
    return change(start, stop, "", ())


def trailing_gloss(text: str, end: int, sentence_end: int, claims: Sequence[Claim]) -> Change | Refusal | None:
    """Return the deletion of what is said further of a name that was replaced (", which is ..."), or None without any.

    Args:
        text: The answer.
        end: One past the replaced name.
        sentence_end: One past its sentence.
        claims: The answer's claims that the deletion must not take along.
    """
    found = _GLOSS.match(text[end:sentence_end])
    if found is None:
        return None
    start, stop = end + found.start("cut"), end + found.end("cut")
    if _NEW_CLAUSE.search(found["cut"]) is not None or any(start <= c.span.start_char < stop for c in claims):
        return Refusal((), f"{text[start:stop]!r} would be said of another thing")
    return change(start, stop, "", ())


def dependent_sentence(text: str, sentence_end: int, nouns: Sequence[str], claims: Sequence[Claim]) -> Change | None:
    """Return the deletion of the next sentence if it goes on about the removed thing ("This mass is ..."), or None.

    Args:
        text: The answer.
        sentence_end: One past the sentence in which the thing was removed.
        nouns: The words that named it.
        claims: The answer's claims that the deletion must not take along.
    """
    start = sentence_end
    while start < len(text) and text[start] in ".!? ":
        start += 1
    if not _speaks_on(text, start, nouns):
        return None
    stop_match = _SENTENCE_END.search(text, start)
    stop = stop_match.end() if stop_match is not None else len(text)
    if any(start <= c.span.start_char < stop for c in claims):
        return None
    left = len(text[:start].rstrip(" "))
    return change(left, stop, "", ())


def _speaks_on(text: str, start: int, nouns: Sequence[str]) -> bool:
    """Tell whether a sentence points back at one of the nouns ("This mass", "The mass is"), or says what it means."""
    points = _POINTS_BACK.match(text, start)
    if points is None:
        return False
    after = points.end()
    ends = _WORD_ENDS if points["pointing"] else _VERB_OF_IT
    if any(text.startswith(noun, after) and ends.match(text, after + len(noun)) for noun in nouns):
        return True
    return points["pointing"] is not None and _SPEAKS_ON.match(text, after) is not None
