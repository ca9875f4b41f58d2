"""Characters to tokens under a chat template: which token belongs to which phrase, and which rows are refused."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.decoders import Metaspace as MetaspaceDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import Metaspace
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer
from transformers import AutoProcessor, PreTrainedTokenizerFast

from medprefkit.errors import TrainError
from medprefkit.train.tokens import RowEncoder, RowRefusedError

MakePair = Callable[..., dict[str, Any]]


def texts(chosen: str, rejected: str, **more: Any) -> dict[str, Any]:
    return {
        "chosen": [{"role": "assistant", "content": chosen}],
        "rejected": [{"role": "assistant", "content": rejected}],
        **more,
    }


def words_of(processor: Any, encoding: Any, phrase: int) -> str:
    ids = [i for i, p in zip(encoding.input_ids, encoding.phrase_ids, strict=True) if p == phrase]
    decoded: str = processor.tokenizer.decode(ids)
    return decoded


def test_the_prompt_keeps_one_placeholder_an_image_and_the_answer_closes_as_the_template_says(
    processor: Any, make_pair: MakePair
) -> None:
    encoding = RowEncoder(processor).encode(make_pair(), needs_spans=True)
    assert encoding.prompt_text == "<s><|user|><image>Describe the image.</s><|assistant|>"
    assert processor.tokenizer.decode(encoding.chosen.input_ids) == make_pair()["chosen"][0]["content"] + "</s>"


def test_each_phrase_gets_the_tokens_that_overlap_it(processor: Any, make_pair: MakePair) -> None:
    encoding = RowEncoder(processor).encode(make_pair(), needs_spans=True)
    assert words_of(processor, encoding.chosen, 1) == " left"
    assert words_of(processor, encoding.chosen, 2) == " no"
    assert words_of(processor, encoding.rejected, 1) == " right"
    assert words_of(processor, encoding.rejected, 2) == " a large"
    weights = dict(zip(encoding.chosen.phrase_ids, encoding.chosen.phrase_weights, strict=True))
    assert weights == {0: 0.0, 1: 1.0, 2: 0.5}
    linked = dict(zip(encoding.chosen.phrase_ids, encoding.chosen.lesion_linked, strict=True))
    assert linked == {0: False, 1: True, 2: False}


def test_a_deletion_has_tokens_on_one_side_only(processor: Any, make_pair: MakePair, make_span: MakePair) -> None:
    chosen, rejected = "Heart size is normal.", "Heart size is normal. Fluid on the right."
    empty = {**make_span(chosen, "normal.", 1), "start_char": len(chosen), "end_char": len(chosen)}
    row = make_pair(
        **texts(chosen, rejected, chosen_spans=[empty], rejected_spans=[make_span(rejected, " Fluid on the right.", 1)])
    )
    encoding = RowEncoder(processor).encode(row, needs_spans=True)
    assert set(encoding.chosen.phrase_ids) == {0}
    assert words_of(processor, encoding.rejected, 1) == " Fluid on the right."


WORDS = st.text(
    st.one_of(
        st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_characters="<"),
        st.sampled_from("İßµ×–°≥😀\u0301\u200dأ北"),
    ),
    min_size=1,
    max_size=8,
).filter(lambda text: bool(text.strip()))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    pieces=st.lists(WORDS, min_size=3, max_size=7), wrong=WORDS, at=st.integers(0, 6), gap=st.sampled_from(["", " "])
)
def test_decoded_tokens_of_a_phrase_hold_its_words(
    processor: Any, make_pair: MakePair, make_span: MakePair, pieces: list[str], wrong: str, at: int, gap: str
) -> None:
    at %= len(pieces)
    right = pieces[at]
    before, after = gap.join([*pieces[:at], ""]), gap.join(["", *pieces[at + 1 :]])
    chosen, rejected = before + right + after, before + wrong + after
    spans = [
        {**make_span(t, w, 1), "start_char": len(before), "end_char": len(before) + len(w)}
        for t, w in ((chosen, right), (rejected, wrong))
    ]
    row = make_pair(**texts(chosen, rejected, chosen_spans=spans[:1], rejected_spans=spans[1:]))
    if chosen == rejected:
        with pytest.raises(RowRefusedError):
            RowEncoder(processor).encode(row, needs_spans=True)
        return
    encoding = RowEncoder(processor).encode(row, needs_spans=True)
    assert right in words_of(processor, encoding.chosen, 1)
    assert wrong in words_of(processor, encoding.rejected, 1)
    assert processor.tokenizer.decode(encoding.chosen.input_ids) == chosen + "</s>"


def test_a_template_that_trims_the_answer_moves_its_spans(
    tiny_model: Any, make_pair: MakePair, make_span: MakePair
) -> None:
    processor = AutoProcessor.from_pretrained(tiny_model)
    processor.chat_template = processor.chat_template.replace("{{ part['text'] }}", "{{ part['text'] | trim }}")
    chosen, rejected = "  Fluid on the left.", "  Fluid on the right."
    row = make_pair(
        **texts(
            chosen,
            rejected,
            chosen_spans=[make_span(chosen, "left", 1)],
            rejected_spans=[make_span(rejected, "right", 1)],
        )
    )
    encoding = RowEncoder(processor).encode(row, needs_spans=True)
    assert "left" in words_of(processor, encoding.chosen, 1)
    assert "Fluid" not in words_of(processor, encoding.chosen, 1)


def test_a_template_whose_generation_prompt_differs_from_a_given_answer(tiny_model: Any, make_pair: MakePair) -> None:
    processor = AutoProcessor.from_pretrained(tiny_model)
    processor.chat_template = processor.chat_template.replace("{{ '<|assistant|>' }}", "{{ '<|assistant|>[think]' }}")
    encoding = RowEncoder(processor).encode(make_pair(), needs_spans=True)
    assert encoding.prompt_text.endswith("<|assistant|>")
    assert words_of(processor, encoding.chosen, 1) == " left"


def test_a_word_piece_tokenizer_that_marks_blanks_and_a_prompt_that_ends_in_the_middle_of_a_line(
    tiny_model: Any, make_pair: MakePair
) -> None:
    """LLaVA 1.5's way: no special token between prompt and answer, blanks in the words, an added start token."""
    bpe = Tokenizer(BPE(unk_token="<unk>"))
    bpe.pre_tokenizer = Metaspace(prepend_scheme="first")
    bpe.decoder = MetaspaceDecoder(prepend_scheme="first")
    words = [
        *(message["content"] for name in ("chosen", "rejected") for message in make_pair()[name]),
        "USER: ASSISTANT:",
    ]
    bpe.train_from_iterator(
        words * 3,
        BpeTrainer(special_tokens=["<unk>", "<s>", "</s>", "<image>"], vocab_size=400, show_progress=False),
    )
    bpe.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    processor = AutoProcessor.from_pretrained(tiny_model)
    processor.tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<unk>"
    )
    processor.chat_template = (
        "{% for m in messages %}{{ m['role'] | upper | replace('USER', 'USER: <image>') }}"
        "{% if m['role'] == 'assistant' %}:{% endif %} {{ m['content'][-1]['text'] }} {% endfor %}"
        "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
    )
    encoding = RowEncoder(processor).encode(make_pair(), needs_spans=True)
    assert encoding.prompt_text == "<s>USER: <image> Describe the image. ASSISTANT:"
    assert words_of(processor, encoding.chosen, 1).strip() == "left"
    assert words_of(processor, encoding.rejected, 2).strip() == "a large"
    # tokenized with the prompt: the first word carries its blank once
    first = processor.tokenizer.convert_ids_to_tokens(encoding.chosen.input_ids)[0]
    assert first.startswith("▁T")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"weight": 0.0}, "weight_zero"),
        (texts("Same words.", "Same words.", chosen_spans=[], rejected_spans=[]), "texts_identical"),
        ({"chosen_spans": [], "rejected_spans": []}, "no_spans"),
        (texts("   ", "Something."), "answer_empty"),
        (texts("An <image> here.", "Something."), "control_token_in_text"),
        ({"prompt": [{"role": "user", "content": "<image>\nWhat is it?"}]}, "control_token_in_text"),
    ],
)
def test_a_row_that_teaches_nothing_is_refused_by_reason(
    processor: Any, make_pair: MakePair, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RowRefusedError) as refused:
        RowEncoder(processor).encode(make_pair(**changes), needs_spans=True)
    assert refused.value.reason == reason


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_is_no_weight_is_an_error(processor: Any, make_pair: MakePair, weight: float) -> None:
    bad_span = make_pair()
    bad_span["chosen_spans"][0]["weight"] = weight
    for row in (make_pair(weight=weight), bad_span):
        with pytest.raises(TrainError, match=r"row 'row0': a weight is .*; it must be finite and at least 0"):
            RowEncoder(processor).encode(row, needs_spans=True)


def test_an_edit_without_a_token_on_either_side_is_refused(
    processor: Any, make_pair: MakePair, make_span: MakePair
) -> None:
    row = make_pair()
    nothing = {**row["chosen_spans"][0], "phrase_id": 3, "end_char": row["chosen_spans"][0]["start_char"]}
    row["chosen_spans"].append(nothing)
    row["rejected_spans"].append(nothing)
    with pytest.raises(RowRefusedError, match="phrase 3 has no token on either side") as refused:
        RowEncoder(processor).encode(row, needs_spans=True)
    assert refused.value.reason == "edit_vanished"


def test_two_edits_in_one_token_are_refused(processor: Any, make_pair: MakePair, make_span: MakePair) -> None:
    row = make_pair()
    left = row["chosen_spans"][0]
    halves = [{**left, "end_char": left["end_char"] - 2}, {**left, "start_char": left["end_char"] - 2, "phrase_id": 3}]
    row["chosen_spans"][:1] = halves
    with pytest.raises(RowRefusedError, match="'ft' became ''") as refused:
        RowEncoder(processor).encode(row, needs_spans=True)
    assert refused.value.reason == "span_not_in_tokens"


def test_a_span_outside_its_answer_is_refused(processor: Any, make_pair: MakePair) -> None:
    row = make_pair()
    row["chosen_spans"][0]["end_char"] = 900
    with pytest.raises(RowRefusedError, match=r"chosen: phrase 1 at \[17, 900\) in 59 characters"):
        RowEncoder(processor).encode(row, needs_spans=True)


def test_a_processor_without_a_chat_template_is_refused(tiny_model: Any) -> None:
    processor = AutoProcessor.from_pretrained(tiny_model)
    processor.chat_template = None
    with pytest.raises(TrainError, match="LlavaProcessor has no chat template"):
        RowEncoder(processor)


def test_a_long_answer_loses_its_end_but_never_an_edit(
    processor: Any, make_pair: Callable[..., dict[str, Any]]
) -> None:
    whole = RowEncoder(processor).encode(make_pair(), needs_spans=True)
    last = max(at for at, phrase in enumerate(whole.rejected.phrase_ids) if phrase)
    short = RowEncoder(processor, max_answer_tokens=last + 1).encode(make_pair(), needs_spans=True)
    assert short.rejected.input_ids == whole.rejected.input_ids[: last + 1]
    assert short.rejected.phrase_ids == whole.rejected.phrase_ids[: last + 1]
    assert len(short.chosen.input_ids) <= last + 1
    with pytest.raises(RowRefusedError, match=f"an edit lies behind the first {last} tokens") as refused:
        RowEncoder(processor, max_answer_tokens=last).encode(make_pair(), needs_spans=True)
    assert refused.value.reason == "span_beyond_limit"
