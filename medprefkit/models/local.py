"""A transformers model in this process: batched, left-padded, each request drawn from its own seed.

Any model that the Auto classes load as image-text-to-text, or as a causal language model for requests without images;
code from the Hub is never run. The processor loads at once, the weights with the first request that is not remembered.
"""

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image as PillowImage
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

from medprefkit.errors import ModelError
from medprefkit.models.fingerprint import adapter_revision, model_name, model_revision
from medprefkit.models.loading import load_adapter, load_generator, load_processor, quiet
from medprefkit.models.opening import Precision
from medprefkit.models.requests import Failure, FinishReason, Keep, Outcome, Reply, Request
from medprefkit.models.sampling import RecordSampler, StopAt, uniforms_of

_YES, _NO = ("Yes", "yes", "YES", " Yes", " yes"), ("No", "no", "NO", " No", " no")


class LocalModel:
    """Answers requests with a model in this process; satisfies `requests.Asker`.

    Args:
        model: Folder or Hub name.
        adapter: LoRA adapter on it; None for the bare model.
        precision: Of weights and arithmetic.
        device_map: As transformers takes it: `auto` spreads the layers over all GPUs; None for the one default device.
        batch_size: Requests a forward pass, at most.

    Raises:
        ModelError: If the processor cannot be loaded or has no chat template.
    """

    place = ""

    def __init__(
        self,
        model: str,
        *,
        adapter: Path | None = None,
        precision: Precision = "bf16",
        device_map: str | None = None,
        batch_size: int = 8,
    ) -> None:
        self._path = model
        self._adapter = adapter
        self._precision: Precision = precision
        self._device_map = device_map
        self._batch_size = batch_size
        self._processor = load_processor(model)
        self._tokenizer = getattr(self._processor, "tokenizer", self._processor)
        if not getattr(self._processor, "chat_template", None):
            raise ModelError(f"{model!r} has no chat template; use an instruction-tuned model")
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token

    @property
    def model(self) -> str:
        """Its name; of a folder the last part, so that no path of this machine goes into a dataset."""
        return model_name(self._path)

    @functools.cached_property
    def revision(self) -> str:
        """The Hub's commit or a digest of the folder's files, and a digest of the adapter."""
        bare = model_revision(self._path)
        return bare if self._adapter is None else f"{bare}+{adapter_revision(self._adapter)}"

    def ask(self, requests: Sequence[Request], keep: Keep) -> None:
        """Answer in batches of requests of like length, alike in images and sampling.

        Raises:
            ModelError: If the weights cannot be loaded, or one request alone is too large for the device's memory.
        """
        for positions in self._batches(requests):
            for position, outcome in zip(positions, self._answer([requests[k] for k in positions]), strict=True):
                keep(position, outcome)

    def count_tokens(self, request: Request) -> int:
        """Count the tokens of a request, images included, by the model's own processor."""
        return int(self._encode([request])["input_ids"].shape[1])

    def _batches(self, requests: Sequence[Request]) -> Iterator[list[int]]:
        alike: dict[object, list[int]] = {}
        for position, request in enumerate(requests):
            drawn = request.sampling.model_dump(exclude={"seed"})
            key = (request.wants, len(request.pictures), str(drawn))
            alike.setdefault(key, []).append(position)
        for members in alike.values():
            positions = [k for _, k in sorted((len(requests[k].prompt), k) for k in members)]
            for start in range(0, len(positions), self._batch_size):
                yield positions[start : start + self._batch_size]

    def _answer(self, requests: Sequence[Request]) -> list[Outcome]:
        held = self._refused(requests)
        free = [request for request, refusal in zip(requests, held, strict=True) if refusal is None]
        answered = iter(self._run(free)) if free else iter(())
        return [refusal if refusal is not None else next(answered) for refusal in held]

    def _refused(self, requests: Sequence[Request]) -> list[Failure | None]:
        """Refuse words that the template would read as an image or as the end of a turn."""
        special = [token for token in self._tokenizer.all_special_tokens if len(token) > 2]
        special += [token for token in [getattr(self._processor, "image_token", None)] if token]
        found = [next((token for token in special if token in request.prompt), None) for request in requests]
        return [
            Failure("call_refused", f"the prompt holds the control token {token!r}") if token else None
            for token in found
        ]

    def _run(self, requests: Sequence[Request]) -> list[Outcome]:
        try:
            with torch.inference_mode(), quiet():
                if requests[0].wants == "yes_no" and self._yes_no_ids is not None:
                    return self._yes_or_no(requests, *self._yes_no_ids)
                return self._generate(requests)
        except torch.OutOfMemoryError as error:
            if len(requests) == 1:
                raise ModelError(f"{self.model}: one request alone does not fit into the device's memory") from error
        half = len(requests) // 2
        return self._run(requests[:half]) + self._run(requests[half:])

    def _generate(self, requests: Sequence[Request]) -> list[Outcome]:
        sampling = requests[0].sampling
        inputs = self._encode(requests)
        length = inputs["input_ids"].shape[1]
        draws, stops = LogitsProcessorList(), StoppingCriteriaList()
        if sampling.temperature > 0.0:
            uniforms = uniforms_of([request.sampling for request in requests]).to(self._device)
            draws.append(
                RecordSampler(uniforms, temperature=sampling.temperature, top_p=sampling.top_p, prompt_length=length)
            )
        if sampling.stop:
            stops.append(StopAt(sampling.stop, self._tokenizer, prompt_length=length))
        tokens = self._model.generate(
            **inputs,
            max_new_tokens=sampling.max_new_tokens,
            logits_processor=draws,
            stopping_criteria=stops,
        )
        n_prompt = inputs["attention_mask"].sum(1).tolist()
        return [self._reply(row[length:], n, sampling.stop) for row, n in zip(tokens, n_prompt, strict=True)]

    def _reply(self, tokens: Tensor, n_prompt: int, stop: Sequence[str]) -> Reply:
        ids: list[int] = tokens.tolist()
        end = next((k for k, token in enumerate(ids) if token in self._end_ids), None)
        text = self._tokenizer.decode(
            ids if end is None else ids[:end], skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        cut = min((at for s in stop if (at := text.find(s)) >= 0), default=None)
        reason: FinishReason = "length" if end is None and cut is None else "stop"
        return Reply(
            text=text if cut is None else text[:cut],
            finish_reason=reason,
            prompt_tokens=int(n_prompt),
            completion_tokens=len(ids) if end is None else end + 1,
        )

    def _yes_or_no(self, requests: Sequence[Request], yes: Tensor, no: Tensor) -> list[Outcome]:
        inputs = self._encode(requests)
        made = self._model.generate(**inputs, max_new_tokens=1, output_logits=True, return_dict_in_generate=True)
        logps = torch.log_softmax(made.logits[0].double(), dim=-1)  # (B, V)
        n_prompt = inputs["attention_mask"].sum(1).tolist()
        return [
            Reply(
                text="Yes" if said_yes > said_no else "No",
                finish_reason="stop",
                prompt_tokens=int(n),
                completion_tokens=1,
                yes_logp=said_yes,
                no_logp=said_no,
            )
            for n, said_yes, said_no in zip(
                n_prompt, logps[:, yes].logsumexp(-1).tolist(), logps[:, no].logsumexp(-1).tolist(), strict=True
            )
        ]

    def _encode(self, requests: Sequence[Request]) -> dict[str, Tensor]:
        """Render and tokenize; every row ends where its answer begins."""
        texts = [self._render(request) for request in requests]
        options: dict[str, Any] = {"return_tensors": "pt", "padding": True, "add_special_tokens": False}
        self._tokenizer.padding_side = "left"
        if requests[0].pictures:
            images = [[PillowImage.fromarray(picture.pixels) for picture in r.pictures] for r in requests]
            encoded = self._processor(text=texts, images=images, **options)
        elif self._processor is self._tokenizer:
            encoded = self._tokenizer(texts, **options)
        else:
            encoded = self._processor(text=texts, **options)
        return {name: value.to(self._device) for name, value in encoded.items() if isinstance(value, Tensor)}

    def _render(self, request: Request) -> str:
        content: Any = [*[{"type": "image"}] * len(request.pictures), {"type": "text", "text": request.prompt}]
        if self._processor is self._tokenizer:
            content = request.prompt
        text: str = self._processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        ids = self._tokenizer("")["input_ids"]
        bos = self._tokenizer.bos_token if ids and ids[0] == self._tokenizer.bos_token_id else ""
        return text if text.startswith(bos) else bos + text

    @functools.cached_property
    def _model(self) -> Any:
        model = load_generator(self._path, precision=self._precision, device_map=self._device_map)
        if self._adapter is not None:
            model = load_adapter(model, self._adapter, is_trainable=False)
        # The distribution that is sampled is the model's own: penalties that its makers shipped are not applied.
        shipped = model.generation_config
        model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]  # transformers'
            do_sample=False,
            bos_token_id=shipped.bos_token_id,
            eos_token_id=sorted(self._end_ids_of(shipped.eos_token_id)),
            pad_token_id=self._tokenizer.pad_token_id,
        )
        return model.eval()

    @property
    def _device(self) -> torch.device:
        weights = self.__dict__.get("_model")  # counting tokens needs no weights
        device: torch.device = torch.device("cpu") if weights is None else weights.device
        return device

    @functools.cached_property
    def _end_ids(self) -> frozenset[int]:
        return frozenset(self._model.generation_config.eos_token_id)

    def _end_ids_of(self, shipped: int | list[int] | None) -> set[int]:
        ids = set(shipped) if isinstance(shipped, list) else {shipped}
        found = {int(i) for i in (*ids, self._tokenizer.eos_token_id) if i is not None}
        if not found:
            raise ModelError(f"{self._path!r} names no token that ends an answer")
        return found

    @functools.cached_property
    def _yes_no_ids(self) -> tuple[Tensor, Tensor] | None:
        """Return the first tokens of every spelling of yes and of no; None where they do not tell the two apart."""
        yes, no = self._first_tokens(_YES), self._first_tokens(_NO)
        if not (yes - no and no - yes):
            return None
        return torch.tensor(sorted(yes - no)), torch.tensor(sorted(no - yes))

    def _first_tokens(self, words: Sequence[str]) -> set[int]:
        firsts = {ids[0] for word in words if (ids := self._tokenizer.encode(word, add_special_tokens=False))}
        return {token for token in firsts if self._tokenizer.decode([token]).strip()}
