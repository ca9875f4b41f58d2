"""Characters to tokens for the three kinds of tokenizer that models have: what a phrase's tokens say is its words."""

from collections.abc import Callable
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoProcessor, PreTrainedTokenizerFast

from medprefkit.train.tokens import RowEncoder, RowRefusedError

MakePair = Callable[..., dict[str, Any]]

SPECIAL = ["<unk>", "<s>", "</s>", "<image>", "<|user|>", "<|assistant|>"]

# right and wrong words of one place, in a sentence with what has more or fewer bytes, units or pieces than characters
WORDS = [
    ("left", "right"), ("5 mm", "15 mm"), ("İleri", "hafif"), ("naïve", "nai\u0308ve"), ("😀", "👩‍⚕️"),
    ("ﬁbrosis", "fibrosis"),
    ("e\u0301dème", "atelectasis"), ("胸水", "气胸"), ("≥3–4", "×2"), ("T1‑weighted", "T2"),
]  # fmt: skip
FRAMES = ["There is a {} finding, İ and 😀 apart.", "{} is seen; cafe\u0301 au lait spots.", "Überall 胸 İ {}"]


def byte_level() -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made.train_from_iterator(
        texts(), trainers.BpeTrainer(special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False)
    )
    return made


def sentencepiece_bpe() -> Tokenizer:
    """Llama 2's: blanks in the words, bytes for what it never saw."""
    made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    made.train_from_iterator(
        ["▁" + text.replace(" ", "▁") for text in ascii_texts()],
        trainers.BpeTrainer(special_tokens=[*SPECIAL, *fallback], vocab_size=500, show_progress=False),
    )
    return made


def sentencepiece_unigram() -> Tokenizer:
    """T5's and Gemma's."""
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    made.decoder = decoders.Metaspace(prepend_scheme="first")
    made.train_from_iterator(
        texts(), trainers.UnigramTrainer(special_tokens=SPECIAL, unk_token="<unk>", vocab_size=400, show_progress=False)
    )
    return made


def word_piece() -> Tokenizer:
    """BERT's, which keeps case and accents."""
    made = Tokenizer(models.WordPiece(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    made.train_from_iterator(
        texts(), trainers.WordPieceTrainer(special_tokens=SPECIAL, vocab_size=600, show_progress=False)
    )
    return made


KINDS = [byte_level, sentencepiece_bpe, sentencepiece_unigram, word_piece]


def texts() -> list[str]:
    return [frame.format(word) for frame in FRAMES for pair in WORDS for word in pair] * 2 + ["What is seen?"]


def ascii_texts() -> list[str]:
    return [text for text in texts() if text.isascii()] + ["There is a left finding, right and apart."]


@pytest.fixture(scope="module", params=KINDS)
def processor(request: pytest.FixtureRequest, tiny_model: Any) -> Any:
    kind = request.param()
    kind.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", kind.token_to_id("<s>"))]
    )
    processor = AutoProcessor.from_pretrained(tiny_model)
    processor.tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=kind, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<unk>"
    )
    return processor


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize(("right", "wrong"), WORDS)
def test_the_tokens_of_a_phrase_say_its_words(
    processor: Any, make_pair: MakePair, frame: str, right: str, wrong: str
) -> None:
    start = frame.index("{}")
    answers = {"chosen": (frame.format(right), right), "rejected": (frame.format(wrong), wrong)}
    row = make_pair(0)
    for side, (text, words) in answers.items():
        row[side] = [{"role": "assistant", "content": text}]
        row[f"{side}_spans"] = [
            {**row[f"{side}_spans"][0], "phrase_id": 1, "start_char": start, "end_char": start + len(words)}
        ]
    encoding = RowEncoder(processor).encode(row, needs_spans=True)
    for side, (text, words) in answers.items():
        answer = getattr(encoding, side)
        mine = [token for token, phrase in zip(answer.input_ids, answer.phrase_ids, strict=True) if phrase == 1]
        decoded = "".join(processor.tokenizer.decode(mine).split())
        assert "".join(words.split()) in decoded
        around = text[max(0, start - 12) : start + len(words) + 12]
        assert decoded in "".join(around.split())  # and no more than what its tokens touch


def test_a_tokenizer_that_changes_the_words_is_refused(tiny_model: Any, make_pair: MakePair) -> None:
    """BERT's that lowers case and strips accents: the model never reads `İleri`, so nothing of it can be ranked."""
    lowering = word_piece()
    lowering.normalizer = normalizers.BertNormalizer(lowercase=True)
    processor = AutoProcessor.from_pretrained(tiny_model)
    processor.tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=lowering, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<unk>"
    )
    row = make_pair(0)
    for side, words in (("chosen", "İleri"), ("rejected", "hafif")):
        row[side] = [{"role": "assistant", "content": f"{words} effusion."}]
        row[f"{side}_spans"] = [{**row[f"{side}_spans"][0], "start_char": 0, "end_char": len(words)}]
    with pytest.raises(RowRefusedError) as refused:
        RowEncoder(processor).encode(row, needs_spans=True)
    assert refused.value.reason in {"span_not_in_tokens", "answer_rewritten"}
