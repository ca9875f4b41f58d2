"""Rows become tensors: three sequences a row (chosen, rejected, chosen on the corrupted image), padded on the right.

Images are processed here, on the fly, since pixel values of a dataset fit nowhere. A prompt is never truncated: a cut
through image placeholders would leave a model with fewer placeholders than image features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from medprefkit.errors import ImageError, TrainError
from medprefkit.images import image_of
from medprefkit.train.tokens import AnswerEncoding, Row, RowEncoder, RowEncoding, RowRefusedError

PER_TOKEN = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")
"""Processor outputs with one number a token; everything else belongs to images."""

MIN_SAVING = 1.25
"""Prompts are shared where whole sequences would be at least this many times as many tokens."""


@dataclass(frozen=True, slots=True)
class _Prompt:
    """One prompt with its images, through the processor."""

    input_ids: Tensor
    """(L,)"""
    extra: dict[str, Tensor]
    """(L,) each: token types."""
    visual: dict[str, Tensor]


class PreferenceCollator:
    """Makes a batch of rows.

    Of B rows, C of which have a corrupted image, S = 2 B + C sequences: chosen, rejected, then one of the two on the
    corrupted image. T is the longest answer. Returns a dictionary:

    - `groups`: forward passes to make: with images and without apart, since most models take all or none. Each holds
      `sequences` (n,), the rows of S it covers, and either `inputs`, whole sequences as the model is called with, or,
      where that saves tokens, the distinct `prompts` (m,), with `prompt_of` (n,), `answers` and `answer_mask` (n, T).
    - `labels`, `label_mask` (S, T): response tokens; `starts` (S,): position of the first one in its sequence.
    - `phrase_ids`, `phrase_weights`, `lesion_linked` (2 B, T): of chosen, then rejected; 0 on padding.
    - `corrupted_rows` (C,): the row of each corrupted sequence. `row_weights` (B,).
    - `token_weights` (2 B, T), where the dataset brings them; `ref_states` (B or 2 B, T, D) and
      `ref_logps` (S, T), where a cache does: states of the answers that have KLs, logps of the others, else 0.
    """

    def __init__(
        self,
        processor: Any,
        *,
        needs_spans: bool = True,
        corrupted: bool = True,
        corrupted_answer: Literal["chosen", "rejected"] = "chosen",
        share_prompts: bool = False,
        max_answer_tokens: int | None = None,
    ) -> None:
        """Take a processor with a chat template.

        Args:
            processor: Of the model to be trained.
            needs_spans: Whether a row without a span is refused.
            corrupted: Whether to score an answer on the corrupted image too.
            corrupted_answer: Which one.
            share_prompts: Whether a prompt may be encoded once for all answers to it, which the model must allow.
            max_answer_tokens: As `RowEncoder`.

        Raises:
            TrainError: As `RowEncoder`; or if there is no token to pad with.
        """
        self.encoder = RowEncoder(processor, max_answer_tokens=max_answer_tokens)
        self.processor = processor
        self.needs_spans = needs_spans
        self.corrupted = corrupted
        self.corrupted_answer = corrupted_answer
        self.share_prompts = share_prompts
        tokenizer = self.encoder.tokenizer
        pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        if pad_id is None:
            raise TrainError(f"{type(tokenizer).__name__} has neither a padding nor an end token")
        self.pad_id: int = pad_id

    def __call__(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Collate.

        Raises:
            TrainError: If a row cannot train (such rows are to be left out before), or its images cannot be used.
        """
        prompts: list[_Prompt] = []
        corrupted: list[tuple[int, _Prompt]] = []
        encodings: list[RowEncoding] = []
        for index, row in enumerate(rows):
            try:
                encoding = self.encoder.encode(row, needs_spans=self.needs_spans)
            except RowRefusedError as refused:
                raise TrainError(f"row {row['id']!r} cannot train: {refused}") from refused
            encodings.append(encoding)
            prompts.append(self._read(row, "images", encoding.prompt_text))
            if self.corrupted and row["corrupted_images"]:
                if len(row["corrupted_images"]) != len(row["images"]):
                    n_clean, n_corrupted = len(row["images"]), len(row["corrupted_images"])
                    raise TrainError(f"row {row['id']!r}: {n_clean} images but {n_corrupted} corrupted ones")
                bad = self._read(row, "corrupted_images", encoding.prompt_text)
                if not torch.equal(bad.input_ids, prompts[-1].input_ids):
                    raise TrainError(f"row {row['id']!r}: its corrupted images have another size")
                corrupted.append((index, bad))
        chosen = [encoding.chosen for encoding in encodings]
        rejected = [encoding.rejected for encoding in encodings]
        on_corrupted = chosen if self.corrupted_answer == "chosen" else rejected
        answers = [*chosen, *rejected, *(on_corrupted[index] for index, _ in corrupted)]
        sources = [*prompts, *prompts, *(prompt for _, prompt in corrupted)]
        both = [*chosen, *rejected]
        further: dict[str, Tensor] = {}
        weights = [answer.token_weights for answer in both if answer.token_weights is not None]
        if len(weights) == len(both):
            further["token_weights"] = _pad(weights, torch.float32)
        if all("reference" in row for row in rows):
            roles = [(row, "chosen") for row in rows] + [(row, "rejected") for row in rows]
            roles += [(rows[index], "corrupted") for index, _ in corrupted]
            further |= _reference([row["reference"][role] for row, role in roles])
        return {
            **further,
            "groups": self._group(sources, answers),
            "labels": _pad([answer.input_ids for answer in answers], torch.long),
            "label_mask": _pad([[True] * len(answer.input_ids) for answer in answers], torch.bool),
            "starts": torch.tensor([len(prompt.input_ids) for prompt in sources]),
            "phrase_ids": _pad([answer.phrase_ids for answer in both], torch.long),
            "phrase_weights": _pad([answer.phrase_weights for answer in both], torch.float32),
            "lesion_linked": _pad([answer.lesion_linked for answer in both], torch.bool),
            "corrupted_rows": torch.tensor([index for index, _ in corrupted], dtype=torch.long),
            "row_weights": torch.tensor([row["weight"] for row in rows], dtype=torch.float32),
        }

    def _read(self, row: Row, column: str, prompt_text: str) -> _Prompt:
        images = [_open(image, row["id"], column) for image in row[column] or []]
        # Nested: one list of images for the one prompt. Special tokens are in the text already.
        outputs = self.processor(
            text=[prompt_text], images=[images] if images else None, return_tensors="pt", add_special_tokens=False
        )
        if "cross_attention_mask" in outputs:
            raise TrainError(f"{type(self.processor).__name__}: models that cross-attend to images are not supported")
        return _Prompt(
            input_ids=outputs["input_ids"][0],
            extra={name: outputs[name][0] for name in PER_TOKEN[2:] if name in outputs},
            visual={name: value for name, value in outputs.items() if name not in PER_TOKEN},
        )

    def _group(self, prompts: Sequence[_Prompt], answers: Sequence[AnswerEncoding]) -> list[dict[str, Any]]:
        groups = []
        for with_images in (True, False):
            members = [index for index, prompt in enumerate(prompts) if bool(prompt.visual) is with_images]
            if members:
                part = self._part(
                    [prompts[index] for index in members], [answers[index].input_ids for index in members]
                )
                groups.append({"sequences": torch.tensor(members), **part})
        return groups

    def _part(self, prompts: Sequence[_Prompt], answers: Sequence[list[int]]) -> dict[str, Any]:
        """Make what one forward pass is called with: whole sequences, or shared prompts and the answers to them."""
        distinct = list({id(prompt): prompt for prompt in prompts}.values())
        whole = sum(len(prompt.input_ids) for prompt in prompts)
        shared = sum(len(prompt.input_ids) for prompt in distinct)
        n_answer = sum(map(len, answers))
        # Below some saving two passes cost more than one. Token types make an answer depend on more than the cache, but
        # for those that only say where a position is of an image.
        typed = distinct[0].extra.keys() - {"mm_token_type_ids"}
        if not self.share_prompts or typed or whole + n_answer < MIN_SAVING * (shared + n_answer):
            return {"inputs": self._inputs(prompts, answers)}
        places = {id(prompt): place for place, prompt in enumerate(distinct)}
        return {
            "prompts": self._inputs(distinct, [[]] * len(distinct)),
            "prompt_of": torch.tensor([places[id(prompt)] for prompt in prompts]),
            "answers": _pad(answers, torch.long),
            "answer_mask": _pad([[1] * len(answer) for answer in answers], torch.long),
        }

    def _inputs(self, prompts: Sequence[_Prompt], answers: Sequence[list[int]]) -> dict[str, Tensor]:
        """Join each prompt with its answer, pad on the right, and stack what belongs to images."""
        sequences = [
            torch.cat([prompt.input_ids, torch.tensor(answer, dtype=torch.long)])
            for prompt, answer in zip(prompts, answers, strict=True)
        ]
        length = max(len(sequence) for sequence in sequences)
        inputs = {
            "input_ids": torch.stack([_right_pad(sequence, length, self.pad_id) for sequence in sequences]),
            "attention_mask": torch.stack([_right_pad(torch.ones_like(each), length, 0) for each in sequences]),
        }
        for name in prompts[0].extra:  # an answer is text: type 0
            inputs[name] = torch.stack([_right_pad(prompt.extra[name], length, 0) for prompt in prompts])
        for name in prompts[0].visual:
            inputs[name] = _stack_visual([prompt.visual[name] for prompt in prompts])
        return inputs


def _open(image: Any, row_id: str, column: str) -> Image.Image:
    """Return the image as RGB; takes what `datasets` gives (a picture), or its undecoded {"bytes", "path"}."""
    try:
        if isinstance(image, Mapping):
            image = Image.open(BytesIO(image["bytes"]) if image["bytes"] else image["path"])
        return Image.fromarray(image_of(image))
    except (OSError, Image.DecompressionBombError, ImageError) as error:
        raise TrainError(f"row {row_id!r}: {column} cannot be read: {error}") from error


def _stack_visual(parts: Sequence[Tensor]) -> Tensor:
    """Concatenate along the first axis; tiles or pixels that one sequence has fewer of are padded with zeros."""
    sizes = [max(axis) for axis in zip(*(part.shape[1:] for part in parts), strict=True)]
    padded = []
    for part in parts:
        missing = [size - have for size, have in zip(sizes, part.shape[1:], strict=True)]
        padded.append(F.pad(part, [n for size in reversed(missing) for n in (0, size)]))
    return torch.cat(padded)


def _reference(said: Sequence[Tensor]) -> dict[str, Tensor]:
    """Collate what a cache holds of each sequence: (T, D) states of the first ones, (T,) logps of the others."""
    states = [each for each in said if each.dim() == 2]
    logps = pad_sequence([each if each.dim() == 1 else each.new_zeros(len(each)) for each in said], batch_first=True)
    return {"ref_states": pad_sequence(states, batch_first=True), "ref_logps": logps}


def _pad(rows: Sequence[Sequence[float]], dtype: torch.dtype) -> Tensor:
    length = max(len(row) for row in rows)
    return torch.stack([_right_pad(torch.tensor(row, dtype=dtype), length, 0) for row in rows])


def _right_pad(values: Tensor, length: int, fill: int) -> Tensor:
    return F.pad(values, (0, length - len(values)), value=fill)
