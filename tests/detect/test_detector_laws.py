"""Laws that hold for every text: spans quote it, claims are sorted, the same text gives the same claims."""

from hypothesis import given
from hypothesis import strategies as st

from medprefkit.detect.lexicon import LexiconDetector
from medprefkit.records import Claim, Passage, Span

DETECTOR = LexiconDetector()
PIECES = st.sampled_from(
    ["a", "large", "left-sided", "pleural effusion", "no", "No,", "without", "The heart is", "enlarged", "İ", "i̇", "é",
     "e\u0301", "👩‍⚕️", "effusion\u0301", "XXXX", ".", ",", "and", "or", "which is", "3.2 cm", "mass", "This mass",
     "in the",
     "right upper lobe",
     "lungs are clear", "\n", "  ", "normal", "not seen", "(", ")", "CXR", "It is located", "Yes", "-"]
)  # fmt: skip
TEXTS = st.one_of(
    st.lists(PIECES, max_size=14).map(" ".join), st.lists(PIECES, max_size=8).map("".join), st.text(max_size=40)
)
PROMPTS = st.sampled_from(
    ["", "Describe the image.", "Is there a mass?", "Where is the mass?", "What organ is this?", "Is it left or right?"]
)


def spans_of(claim: Claim) -> list[Span]:
    own = [claim.span, claim.phrase, claim.sentence, *(a.span for a in claim.attributes)]
    return own + ([claim.cue] if claim.cue else [])


@given(TEXTS, PROMPTS)
def test_every_span_quotes_the_text(text: str, prompt: str) -> None:
    (claims,) = DETECTOR([Passage(id="p", prompt=prompt, text=text)])
    for claim in claims:
        for span in spans_of(claim):
            assert text[span.start_char : span.end_char] == span.text


@given(TEXTS, PROMPTS)
def test_claims_are_sorted_named_in_order_and_refer_to_earlier_ones(text: str, prompt: str) -> None:
    (claims,) = DETECTOR([Passage(id="p", prompt=prompt, text=text)])
    assert [c.claim_id for c in claims] == [f"c{i}" for i in range(len(claims))]
    assert [c.span.start_char for c in claims] == sorted(c.span.start_char for c in claims)
    known = {c.claim_id for c in claims}
    assert all(c.refers_to is None or (c.refers_to in known and c.refers_to != c.claim_id) for c in claims)


@given(TEXTS, PROMPTS)
def test_the_same_text_gives_the_same_claims(text: str, prompt: str) -> None:
    passage = Passage(id="p", prompt=prompt, text=text)
    assert DETECTOR([passage, passage]) == LexiconDetector()([passage]) * 2


def test_the_empty_text_has_no_claims() -> None:
    assert DETECTOR([]) == []
    assert DETECTOR([Passage(id="p", prompt="Is there a mass?", text=t) for t in ("", " \n")]) == [(), ()]


def test_a_capital_whose_lower_case_is_longer_does_not_shift_what_follows() -> None:
    (claims,) = DETECTOR([Passage(id="p", prompt="", text="İİİ There is a pleural effusion.")])
    assert [c.span.text for c in claims] == ["pleural effusion"]
