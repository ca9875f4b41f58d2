"""One batch through policy and reference: from sequences to per-token numbers, with the head on response tokens only.

The reference is the same model with its adapter off, so no second copy of the weights exists. Nothing here knows what
an edit or a preference is.
"""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from medprefkit.train.token_stats import TokenStats, chunked_token_stats


class ResponseScorer:
    """Scores the response tokens of a batch under policy and reference.

    The call goes through the (possibly wrapped) model itself, never around it, so that a distributed wrapper reduces
    its gradients. On the way the output head is handed a single position, and the hidden states it would have been
    applied to are kept: the head then runs on response tokens alone, in chunks. Where logits are more than the head
    (soft-capped, scaled), which a probe finds out, the model's own logits are used instead.

    Attributes:
        uses_head: Whether logits are the output head of the hidden states.
        can_share_prompts: Whether answers may go on from their prompt's key-value cache with the same result.
    """

    def __init__(self, model: nn.Module) -> None:
        """Find the output head of a PEFT model, and probe on a few tokens what it allows."""
        self._head = cast("nn.Module", cast("Any", model).get_output_embeddings())
        was_training = model.training
        model.eval()
        self.uses_head = True
        self.uses_head = self._logits_are_the_head(model)
        self.can_share_prompts = self._cache_is_exact(model)
        model.train(was_training)

    def __call__(self, model: nn.Module, adapter: Any, batch: Mapping[str, Any]) -> TokenStats:
        """Return logps, reference logps and both KLs, each (S, T) and 0 on padding.

        Args:
            model: What the trainer hands to its loss: the PEFT model or a distributed wrapper of it.
            adapter: The PEFT model, whose adapter is switched off for the reference.
            batch: As the collator makes it.
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
            with torch.no_grad(), adapter.disable_adapter():
                ref_states.append(self._response_states(adapter, group, batch["starts"], local, token))
            policy_states.append(self._response_states(model, group, batch["starts"], local, token))
        where = torch.cat(sequences), torch.cat(tokens)
        stats = chunked_token_stats(
            self._head if self.uses_head else nn.Identity(),
            torch.cat(policy_states),
            torch.cat(ref_states),
            batch["labels"][where],
        )
        return TokenStats(*(values.new_zeros(mask.shape).index_put(where, values) for values in stats))

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
                "position_ids": lengths[owner][:, None] + steps,  # padding of a prompt takes no place
            },
            use_cache=True,
            past_key_values=cache,
        )
        return torch.cat([first[:, None], rest], 1)

    def _run(
        self, model: nn.Module, inputs: Mapping[str, Tensor], *, keep: int = 1, **options: Any
    ) -> tuple[Tensor, Any]:
        """Return the (n, L, D) inputs of the output head, or (n, L, V) logits where that is not all, and the cache."""
        if not self.uses_head:
            output = model(**inputs, **options)
            return output.logits, output.get("past_key_values")
        hidden: list[Tensor] = []

        def intercept(_: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            hidden.append(arguments[0])
            return (arguments[0][:, :keep],)

        handle = self._head.register_forward_pre_hook(intercept)
        try:
            output = model(**inputs, **options)
        finally:
            handle.remove()
        return hidden[0], output.get("past_key_values")

    @torch.no_grad()
    def _logits_are_the_head(self, model: nn.Module) -> bool:
        ids = self._probe_ids(1, 4)
        states, _ = self._run(model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, use_cache=False)
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits
        return torch.equal(self._head(states).float(), logits.float())

    @torch.no_grad()
    def _cache_is_exact(self, model: nn.Module) -> bool:
        """Compare answers after a cached prompt with whole sequences, prompts of two lengths, one of them padded."""
        config = cast("Any", model).config.get_text_config()
        # A window forgets, and positions on several axes do not count tokens: a short probe would see neither.
        inner = cast("Any", model).get_base_model().model
        if getattr(config, "sliding_window", None) or hasattr(inner, "get_rope_index"):
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
        device = next(self._head.parameters()).device
        return 16 + torch.arange(n * length, device=device).view(n, length)
