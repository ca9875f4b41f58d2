"""One batch through policy and reference: from sequences to per-token numbers, with the head on response tokens only.

The reference is the same model with its adapter off, so no second copy of the weights exists; or a frozen copy, or what
either said before, kept on disk. Nothing here knows what an edit or a preference is.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from medprefkit.train.head import OutputHead, output_heads
from medprefkit.train.token_stats import Head, KlUse, TokenStats, chunked_logps, chunked_token_stats

POSITIONS_ON_AXES = {"qwen2_vl", "qwen2_5_vl"}
"""Models whose positions have time, height and width, and that say what an image takes less of them than tokens."""


class KlPlan(NamedTuple):
    """Which sequences of a batch have KLs, and what for; the others' are 0."""

    n_sequences: int
    """The first so many."""
    use: KlUse


class ResponseScorer:
    """Scores the response tokens of a batch under policy and reference.

    The call goes through the (possibly wrapped) model itself, never around it, so that a distributed wrapper reduces
    its gradients. On the way the output head is handed no position at all, and the hidden states it would have been
    applied to are kept: the head then runs on response tokens alone, in chunks. Where logits are more than a head
    (and a factor and a soft cap), which a probe finds out, the model's own logits are used instead.

    Attributes:
        uses_head: Whether logits are the output head of the hidden states.
        can_share_prompts: Whether answers may go on from their prompt's key-value cache with the same result.
        has_reference: Whether a frozen copy is compared with.
        most_passes: Where processes share one model, each must run it equally often: turns the passes that this
            process made into the most that any made.
    """

    def __init__(self, model: nn.Module, *, reference: nn.Module | None = None) -> None:
        """Find the output head, and probe on a few tokens what the model allows.

        Args:
            model: A PEFT model, whose adapter is switched off for the reference, or any model beside a reference.
            reference: A frozen copy to compare with.
        """
        self._reference = reference
        self.most_passes: Callable[[int], int] | None = None
        self.has_reference = reference is not None
        # Where only an adapter in the language model learns, policy and reference see the same image features.
        self._encodes_images_once = reference is None and not _vision_learns(model)
        was_training = model.training
        model.eval()
        heads = output_heads(model)
        self._module = heads[0].module
        self.uses_head = True
        head = next((each for each in heads if self._logits_are(each, model)), None)
        self.uses_head = head is not None
        self._head = head or OutputHead(nn.Identity())
        self._ref_head: Head = self._head
        if reference is not None and self.uses_head:
            self._ref_head = output_heads(reference)[heads.index(self._head)]
        self.can_share_prompts = self._cache_is_exact(model)
        model.train(was_training)

    def __call__(
        self, model: nn.Module, adapter: Any, batch: Mapping[str, Any], kl: KlPlan | None = None
    ) -> TokenStats:
        """Return logps, reference logps and both KLs, each (S, T) and 0 on padding.

        Args:
            model: What the trainer hands to its loss: the model or a distributed wrapper of it.
            adapter: The model itself.
            batch: As the collator makes it; with `ref_states` and `ref_logps`, the reference is not asked again.
            kl: What of the KLs is wanted; by default everything.
        """
        mask: Tensor = batch["label_mask"]
        policy_states: list[Tensor] = []
        ref_states: list[Tensor] = []
        sequences: list[Tensor] = []
        tokens: list[Tensor] = []
        for group in batch["groups"]:
            local, token = mask[group["sequences"]].nonzero(as_tuple=True)
            sequences.append(group["sequences"][local])
            tokens.append(token)
            with self._image_features_kept(adapter):
                if "ref_states" not in batch:
                    ref_states.append(self._reference_states(adapter, group, batch["starts"], local, token))
                policy_states.append(self._response_states(model, group, batch["starts"], local, token))
        sequence, token = torch.cat(sequences), torch.cat(tokens)
        policy = torch.cat(policy_states)
        if self.most_passes is not None:
            policy = policy + self._idle_passes(model, adapter, batch)
        labels = batch["labels"][sequence, token]
        n_with_kl, use = kl if kl is not None else KlPlan(len(mask), KlUse())
        with_kl, without = sequence < n_with_kl, sequence >= n_with_kl
        if ref_states:
            ref = torch.cat(ref_states)
            ref_with_kl, ref_logps = ref[with_kl], self._reference_logps(ref[without], labels[without])
        else:
            ref_with_kl = batch["ref_states"][sequence[with_kl], token[with_kl]].to(policy.dtype)
            ref_logps = batch["ref_logps"][sequence[without], token[without]]
        learns = self._head.learns or not self.uses_head  # logits have no narrower states to keep
        compared = chunked_token_stats(
            self._head,
            policy[with_kl],
            ref_with_kl,
            labels[with_kl],
            ref_head=self._ref_head,
            head_learns=learns,
            kl=use,
        )
        logps = chunked_logps(self._head, policy[without], labels[without], head_learns=learns)
        zeros = torch.zeros(mask.shape, device=mask.device, dtype=torch.promote_types(policy.dtype, torch.float32))
        places, others = (sequence[with_kl], token[with_kl]), (sequence[without], token[without])
        out = [zeros.index_put(places, values) for values in compared]
        out[:2] = [each.index_put(others, more) for each, more in zip(out[:2], (logps, ref_logps), strict=True)]
        return TokenStats(*out)

    def reference(self, adapter: Any, batch: Mapping[str, Any], n_with_kl: int) -> tuple[Tensor, Tensor]:
        """Ask the reference alone, for what `__call__` needs of it.

        Returns:
            (n_with_kl, T, D): its last hidden states that predict the response tokens of the first sequences; and
            (S, T): the log-probabilities of those of all others. 0 on padding, and where the other has the answer.
        """
        mask: Tensor = batch["label_mask"]
        states: list[Tensor] = []
        places: list[Tensor] = []
        for group in batch["groups"]:
            local, token = mask[group["sequences"]].nonzero(as_tuple=True)
            states.append(self._reference_states(adapter, group, batch["starts"], local, token))
            places.append(torch.stack([group["sequences"][local], token]))
        found, (sequence, token) = torch.cat(states), torch.cat(places, 1)
        with_kl, without = sequence < n_with_kl, sequence >= n_with_kl
        kept = found.new_zeros(n_with_kl, mask.shape[1], found.shape[-1])
        kept[sequence[with_kl], token[with_kl]] = found[with_kl]
        logps = self._reference_logps(found[without], batch["labels"][sequence[without], token[without]])
        known = logps.new_zeros(mask.shape)
        known[sequence[without], token[without]] = logps
        return kept, known

    def _idle_passes(self, model: nn.Module, adapter: Any, batch: Mapping[str, Any]) -> Tensor:
        """Run policy and reference on a few tokens as often as other processes still do; 0, and 0 is its gradient."""
        n_passes = sum(_n_passes(group) for group in batch["groups"])
        ids = self._probe_ids(1, 4)
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        idle = torch.zeros((), device=ids.device)
        for _ in range(cast("Callable[[int], int]", self.most_passes)(n_passes) - n_passes):
            if "ref_states" not in batch and self._reference is None:
                with torch.no_grad(), adapter.disable_adapter():
                    self._run(adapter, inputs, use_cache=False)
            states, _ = self._run(model, inputs, use_cache=False)
            idle = idle + 0 * states.sum()
        return idle

    @torch.no_grad()
    def _reference_logps(self, states: Tensor, labels: Tensor) -> Tensor:
        return chunked_logps(self._ref_head, states, labels)

    @torch.no_grad()
    def _reference_states(
        self, adapter: Any, group: Mapping[str, Any], starts: Tensor, local: Tensor, token: Tensor
    ) -> Tensor:
        if self._reference is not None:
            return self._response_states(self._reference, group, starts, local, token)
        with adapter.disable_adapter():
            return self._response_states(adapter, group, starts, local, token)

    @contextlib.contextmanager
    def _image_features_kept(self, adapter: Any) -> Iterator[None]:
        """Within, what the vision tower made of a group's pixels for the reference serves the policy too."""
        inner = _inner_model(adapter)
        if not self._encodes_images_once or not hasattr(inner, "get_image_features"):
            yield
            return
        encode, kept = inner.get_image_features, dict[int, tuple[Tensor, Any]]()

        def encode_once(pixels: Tensor, *arguments: Any, **options: Any) -> Any:
            if id(pixels) not in kept:
                with torch.no_grad():
                    kept[id(pixels)] = pixels, encode(pixels, *arguments, **options)
            return kept[id(pixels)][1]

        def by_any_name(*arguments: Any, **options: Any) -> Any:
            pixels = options.pop("pixel_values") if "pixel_values" in options else arguments[0]
            return encode_once(pixels, *arguments[1:], **options)

        inner.get_image_features = by_any_name
        try:
            yield
        finally:
            del inner.get_image_features  # the class's own again

    def _response_states(
        self, model: nn.Module, group: Mapping[str, Any], starts: Tensor, local: Tensor, token: Tensor
    ) -> Tensor:
        """Return (N, D): what predicts token `token` of sequence `local` of the group."""
        if "prompts" in group:
            return self._shared_states(model, group)[local, token]
        states, _ = self._run(model, group["inputs"], use_cache=False)
        return states[local, starts[group["sequences"][local]] + token - 1]

    def _shared_states(self, model: nn.Module, group: Mapping[str, Any]) -> Tensor:
        """Encode each prompt with its images once, then all answers that follow it: (n, T, D), T answer tokens."""
        prompts, owner = group["prompts"], group["prompt_of"]
        states, cache = self._run(model, prompts, use_cache=True)
        lengths = prompts["attention_mask"].sum(-1)  # (m,)
        first = states[torch.arange(len(lengths), device=lengths.device), lengths - 1][owner]  # predicts token 0
        fed = group["answers"][:, :-1]  # the last token predicts nothing
        if fed.shape[1] == 0:
            return first[:, None]
        cache.batch_select_indices(owner)
        steps = torch.arange(fed.shape[1], device=fed.device)
        rest, _ = self._run(
            model,
            {
                "input_ids": fed,
                "attention_mask": torch.cat([prompts["attention_mask"][owner], group["answer_mask"][:, :-1]], 1),
                "position_ids": _positions(model, prompts, lengths[owner][:, None] + steps, owner),
            },
            use_cache=True,
            past_key_values=cache,
        )
        return torch.cat([first[:, None], rest], 1)

    def _run(self, model: nn.Module, inputs: Mapping[str, Tensor], **options: Any) -> tuple[Tensor, Any]:
        """Return the (n, L, D) inputs of the output head, or (n, L, V) logits where that is not all, and the cache."""
        if not self.uses_head:
            output = model(**inputs, **options)
            return output.logits, output.get("past_key_values")
        hidden: list[Tensor] = []

        def intercept(_: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            hidden.append(arguments[0])
            return (arguments[0][:, :0],)

        handle = self._head_of(model).register_forward_pre_hook(intercept)
        try:
            output = model(**inputs, **options)
        finally:
            handle.remove()
        return hidden[0], output.get("past_key_values")

    @torch.no_grad()
    def _logits_are(self, head: OutputHead, model: nn.Module) -> bool:
        ids = self._probe_ids(1, 4)
        states, _ = self._run(model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, use_cache=False)
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits
        return torch.equal(head(states).float(), logits.float())

    @torch.no_grad()
    def _cache_is_exact(self, model: nn.Module) -> bool:
        """Compare answers after a cached prompt with whole sequences, prompts of two lengths, one of them padded."""
        config = cast("Any", model).config.get_text_config()
        # A window forgets, and positions on several axes do not count tokens: a short probe would see neither.
        on_axes = hasattr(_inner_model(model), "get_rope_index")
        if getattr(config, "sliding_window", None) or (on_axes and _model_type(model) not in POSITIONS_ON_AXES):
            return False
        prompts, answers = self._probe_ids(2, 6), self._probe_ids(3, 4)
        prompt_mask = torch.ones_like(prompts)
        prompt_mask[1, 4:] = 0
        owner = torch.tensor([0, 1, 0], device=prompts.device)
        shared = self._shared_states(
            model,
            {
                "prompts": {"input_ids": prompts, "attention_mask": prompt_mask},
                "prompt_of": owner,
                "answers": answers,
                "answer_mask": torch.ones_like(answers),
            },
        )
        for each, (prompt, answer) in enumerate(zip(owner.tolist(), answers, strict=True)):
            length = int(prompt_mask[prompt].sum())
            ids = torch.cat([prompts[prompt, :length], answer])[None]
            whole, _ = self._run(model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, use_cache=False)
            tolerance = 1e-4 if whole.dtype == torch.float32 else 0.05
            expected = whole[0, length - 1 : -1].float()
            if not torch.allclose(
                shared[each].float(), expected, rtol=tolerance, atol=tolerance * float(expected.std())
            ):
                return False
        return True

    def _probe_ids(self, n: int, length: int) -> Tensor:
        """Return (n, length) ordinary token ids: past the special ones, before the added ones of an image."""
        device = next(self._module.parameters()).device
        return 16 + torch.arange(n * length, device=device).view(n, length)

    def _head_of(self, model: nn.Module) -> nn.Module:
        return (
            cast("nn.Module", cast("Any", model).get_output_embeddings()) if model is self._reference else self._module
        )


def _positions(model: Any, prompts: Mapping[str, Tensor], counted: Tensor, owner: Tensor) -> Tensor:
    """Return where answers stand that follow shared prompts; padding of a prompt takes no place.

    An image takes fewer places than tokens where positions have several axes: the model says by how much, and text
    after it has the same place on each.

    Args:
        model: It, or a distributed wrapper of it, after its pass over the prompts.
        prompts: What that pass was given.
        counted: (n, T) places by the count of tokens.
        owner: (n,) the prompt of each answer.
    """
    whole = getattr(model, "module", model)  # of a wrapper
    if _model_type(whole) not in POSITIONS_ON_AXES or "image_grid_thw" not in prompts:
        return counted
    less: Tensor = _inner_model(whole).rope_deltas[owner]  # (n, 1), at most 0
    return (counted + less).expand(3, -1, -1)


def _model_type(model: Any) -> str:
    return str(model.config.model_type)


def _n_passes(group: Mapping[str, Any]) -> int:
    return 2 if "prompts" in group and group["answers"].shape[1] > 1 else 1


def _inner_model(model: Any) -> Any:
    """Return the model without adapter and output head."""
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    return whole.model


def decoder_layers(model: Any) -> list[nn.Module]:
    """Return the layers of the language model."""
    return list(_inner_model(model).get_decoder().layers)


def _vision_learns(model: Any) -> bool:
    language = {id(parameter) for parameter in _inner_model(model).get_decoder().parameters()}
    head = {id(parameter) for parameter in model.get_output_embeddings().parameters()}
    return any(p.requires_grad and id(p) not in language | head for p in model.parameters())
