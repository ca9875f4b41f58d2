"""From characters to tokens: a row's texts under a model's chat template, with each token's phrase.

The dataset holds character spans, never token spans, so that any tokenizer can read it; here they become tokens and are
proven to hold the words they stand for. Knows rows and tokenizers, neither images nor tensors.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from medprefkit.errors import TrainError

Row = Mapping[str, Any]
"""One row of the dataset, by the column contract."""

RefusalReason = Literal[
    "weight_zero",
    "texts_identical",
    "edit_vanished",
    "no_spans",
    "span_outside_answer",
    "span_not_in_tokens",
    "answer_rewritten",
    "answer_empty",
    "control_token_in_text",
    "span_beyond_limit",
    "token_weights_mismatch",
]

SIDES = ("chosen", "rejected")


class RowRefusedError(Exception):
    """A row that cannot train, and why.

    Attributes:
        reason: One of a closed set; counted and reported.
    """

    def __init__(self, reason: RefusalReason, detail: str) -> None:
        super().__init__(detail)
        self.reason: RefusalReason = reason


@dataclass(frozen=True, slots=True)
class AnswerEncoding:
    """The response tokens of one answer, template's closing tokens included; lists of one length."""

    input_ids: list[int]
    phrase_ids: list[int]
    phrase_weights: list[float]
    lesion_linked: list[bool]
    token_weights: list[float] | None = None
    """From the dataset's column `chosen_token_weights` or `rejected_token_weights`, where it has one."""

    def cut(self, n_tokens: int) -> "AnswerEncoding":
        """Return the first so many tokens.

        Raises:
            RowRefusedError: If an edit lies behind them.
        """
        if any(self.phrase_ids[n_tokens:]):
            raise RowRefusedError("span_beyond_limit", f"an edit lies behind the first {n_tokens} tokens")
        weights = None if self.token_weights is None else self.token_weights[:n_tokens]
        return AnswerEncoding(
            self.input_ids[:n_tokens],
            self.phrase_ids[:n_tokens],
            self.phrase_weights[:n_tokens],
            self.lesion_linked[:n_tokens],
            weights,
        )


@dataclass(frozen=True, slots=True)
class RowEncoding:
    """A row's texts as a model reads them; `prompt_text` still has one placeholder an image."""

    prompt_text: str
    chosen: AnswerEncoding
    rejected: AnswerEncoding


@dataclass(frozen=True, slots=True)
class _Tokens:
    input_ids: list[int]
    offsets: list[tuple[int, int]]

    def after(self, n_tokens: int, n_chars: int) -> Self:
        """Return what follows the first `n_tokens`, offsets counted from `n_chars`."""
        offsets = [(start - n_chars, end - n_chars) for start, end in self.offsets[n_tokens:]]
        return type(self)(self.input_ids[n_tokens:], offsets)


class RowEncoder:
    """Renders and tokenizes rows under one processor's chat template.

    Prompt and answer are tokenized together where the prompt's tokens survive that, since a model writes its answer
    after the prompt's tokens; else apart. Images only ever stand in the prompt, so whatever their placeholders expand
    to shifts the answer as a whole: no offset into an answer depends on it.
    """

    def __init__(self, processor: Any, *, max_answer_tokens: int | None = None) -> None:
        """Check that the processor can do it.

        Args:
            processor: Of the model to be trained.
            max_answer_tokens: Longer answers lose their end; a row that would lose an edit is refused instead.

        Raises:
            TrainError: If it has no chat template, or its tokenizer gives no character offsets.
        """
        self.processor = processor
        self.max_answer_tokens = max_answer_tokens
        self.tokenizer = getattr(processor, "tokenizer", processor)
        if not getattr(processor, "chat_template", None):
            raise TrainError(f"{type(processor).__name__} has no chat template; use an instruction-tuned model")
        if not self.tokenizer.is_fast:
            raise TrainError(f"{type(self.tokenizer).__name__} gives no character offsets; a fast tokenizer is needed")
        ids = self.tokenizer("")["input_ids"]
        adds_bos = bool(ids) and ids[0] == self.tokenizer.bos_token_id
        self._bos: str = self.tokenizer.bos_token if adds_bos else ""
        special = [token.content for token in self.tokenizer.added_tokens_decoder.values() if token.special]
        placeholder = getattr(processor, "image_token", None)
        known = {*self.tokenizer.all_special_tokens, *special, *([placeholder] if placeholder else [])}
        self._control_tokens = sorted(token for token in known if len(token) > 2)  # some pad with "!"

    def encode(self, row: Row, *, needs_spans: bool) -> RowEncoding:
        """Tokenize one row and give every token of an edit its phrase.

        A token that overlaps a span belongs to it.

        Args:
            row: By the column contract.
            needs_spans: Refuse a row without an edit span.

        Raises:
            RowRefusedError: If nothing of it could be learned, or what would be learned is not what its spans say.
            TrainError: If a weight is negative or no number.
        """
        _refuse_weights(row)
        if row["weight"] == 0:
            raise RowRefusedError("weight_zero", "its weight is 0")
        self._refuse_control_tokens(row)
        n_images = len(row["images"] or [])
        prompt = _as_blocks(row["prompt"], n_images)
        plain = self._render(prompt, add_generation_prompt=True)
        texts = {side: self._render(prompt + _as_blocks(row[side], 0)) for side in SIDES}
        # Some templates open a given answer otherwise than their generation prompt does: what is common is the prompt.
        prompt_text = _common_start([plain, *texts.values()])
        responses = self._tokenize_responses(prompt_text, texts)
        chosen, rejected = (
            self._encode_answer(row, side, texts[side][len(prompt_text) :], responses[side]) for side in SIDES
        )
        if self.max_answer_tokens is not None:
            chosen, rejected = chosen.cut(self.max_answer_tokens), rejected.cut(self.max_answer_tokens)
        _refuse_what_cannot_teach(chosen, rejected, _spans_of(row), needs_spans=needs_spans)
        return RowEncoding(prompt_text, chosen, rejected)

    def _render(self, messages: list[dict[str, Any]], *, add_generation_prompt: bool = False) -> str:
        text: str = self.processor.apply_chat_template(
            messages, add_generation_prompt=add_generation_prompt, tokenize=False
        )
        return text if text.startswith(self._bos) else self._bos + text

    def _tokenize_responses(self, prompt_text: str, texts: Mapping[str, str]) -> dict[str, _Tokens]:
        prompt_ids = self._tokenize(prompt_text).input_ids
        together = {side: self._tokenize(text) for side, text in texts.items()}
        if all(tokens.input_ids[: len(prompt_ids)] == prompt_ids for tokens in together.values()):
            return {side: tokens.after(len(prompt_ids), len(prompt_text)) for side, tokens in together.items()}
        return {side: self._tokenize(text[len(prompt_text) :]) for side, text in texts.items()}

    def _tokenize(self, text: str) -> _Tokens:
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return _Tokens(encoded["input_ids"], encoded["offset_mapping"])

    def _encode_answer(self, row: Row, side: str, response: str, tokens: _Tokens) -> AnswerEncoding:
        answer: str = row[side][-1]["content"]
        start = _find_answer(answer, response)
        n_tokens = len(tokens.input_ids)
        weights = _token_weights(row, side, n_tokens)
        encoding = AnswerEncoding(tokens.input_ids, [0] * n_tokens, [0.0] * n_tokens, [False] * n_tokens, weights)
        for span in row[f"{side}_spans"] or []:
            if not 0 <= span["start_char"] <= span["end_char"] <= len(answer):
                raise RowRefusedError("span_outside_answer", f"{side}: {_place(span)} in {len(answer)} characters")
            span_start, span_end = start + span["start_char"], start + span["end_char"]
            mine: list[int] = []
            for position, (token_start, token_end) in enumerate(tokens.offsets):
                overlaps = max(token_start, span_start) < min(token_end, span_end)
                if overlaps and encoding.phrase_ids[position] == 0:
                    encoding.phrase_ids[position] = span["phrase_id"]
                    encoding.phrase_weights[position] = span["weight"]
                    encoding.lesion_linked[position] = span["lesion_linked"]
                    mine.append(tokens.input_ids[position])
            words = answer[span["start_char"] : span["end_char"]]
            decoded = self.tokenizer.decode(mine, clean_up_tokenization_spaces=False)
            # Word-piece decoders move blanks; the words must be there whole.
            if "".join(words.split()) not in "".join(decoded.split()):
                raise RowRefusedError("span_not_in_tokens", f"{side}: {words!r} became {decoded!r}")
        return encoding

    def _refuse_control_tokens(self, row: Row) -> None:
        for message in [*row["prompt"], *row["chosen"], *row["rejected"]]:
            for token in self._control_tokens:
                if token in message["content"]:
                    raise RowRefusedError("control_token_in_text", f"{token!r} in the {message['role']}'s text")


def _common_start(texts: Sequence[str]) -> str:
    first, last = min(texts), max(texts)
    same = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:same]


def _as_blocks(messages: Sequence[Mapping[str, str]], n_images: int) -> list[dict[str, Any]]:
    """Return messages in block form, the images before the text of the first user message, as TRL places them."""
    blocks: list[dict[str, Any]] = []
    for message in messages:
        images = n_images if message["role"] == "user" else 0
        n_images -= images
        content = [*[{"type": "image"}] * images, {"type": "text", "text": message["content"]}]
        blocks.append({"role": message["role"], "content": content})
    return blocks


def _find_answer(answer: str, response: str) -> int:
    """Return where character 0 of `answer` stands in `response`; below 0 where a template cut leading blanks."""
    words = answer.strip()
    if not words:
        raise RowRefusedError("answer_empty", "an answer is empty")
    leading = len(answer) - len(answer.lstrip())
    if response.startswith(answer):
        return 0
    if response.lstrip().startswith(words) or response.count(words) == 1:
        return response.index(words) - leading
    raise RowRefusedError("answer_rewritten", f"the chat template does not keep {answer[:40]!r} as it is")


def _refuse_weights(row: Row) -> None:
    spans = [span for side in SIDES for span in row[f"{side}_spans"] or []]
    for weight in (row["weight"], *(span["weight"] for span in spans)):
        if not (math.isfinite(weight) and weight >= 0):
            raise TrainError(f"row {row['id']!r}: a weight is {weight}; it must be finite and at least 0")


def _token_weights(row: Row, side: str, n_tokens: int) -> list[float] | None:
    weights: list[float] | None = row.get(f"{side}_token_weights")
    if weights is None:
        return None
    if len(weights) != n_tokens:
        detail = f"{side}: {len(weights)} weights for {n_tokens} tokens, the template's closing ones included"
        raise RowRefusedError("token_weights_mismatch", detail)
    for weight in weights:
        if not math.isfinite(weight):
            raise TrainError(f"row {row['id']!r}: a token weight is {weight}; it must be finite")
    return list(weights)


def _spans_of(row: Row) -> list[int]:
    return [span["phrase_id"] for side in SIDES for span in row[f"{side}_spans"] or []]


def _place(span: Mapping[str, Any]) -> str:
    return f"phrase {span['phrase_id']} at [{span['start_char']}, {span['end_char']})"


def _refuse_what_cannot_teach(
    chosen: AnswerEncoding, rejected: AnswerEncoding, phrase_ids: Sequence[int], *, needs_spans: bool
) -> None:
    if chosen.input_ids == rejected.input_ids:
        raise RowRefusedError("texts_identical", "chosen and rejected are the same tokens")
    if needs_spans and not phrase_ids:
        raise RowRefusedError("no_spans", "no edit to rank")
    if vanished := set(phrase_ids) - {*chosen.phrase_ids, *rejected.phrase_ids}:
        raise RowRefusedError("edit_vanished", f"phrase {min(vanished)} has no token on either side")
