"""One batch through policy and reference: from sequences to per-token numbers, with the head on response tokens only.

The reference is the same model with its adapter off, so no second copy of the weights exists. Nothing here knows what
an edit or a preference is.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from medprefkit.train.token_stats import TokenStats, chunked_token_stats


class _Places(NamedTuple):
    """Where the response tokens of one forward pass are."""

    local: Tensor
    """(N,) row of the pass."""
    sequence: Tensor
    """(N,) row of the batch."""
    token: Tensor
    """(N,) place in the answer."""
    position: Tensor
    """(N,) position whose output predicts the token."""


class ResponseScorer:
    """Scores the response tokens of a batch under policy and reference.

    The call goes through the (possibly wrapped) model itself, never around it, so that a distributed wrapper reduces
    its gradients. On the way the output head is handed a single position, and the hidden states it would have been
    applied to are kept: the head then runs on response tokens alone, in chunks. Where logits are more than the head
    (soft-capped, scaled), which a probe finds out, the model's own logits are used instead.
    """

    def __init__(self, model: nn.Module) -> None:
        """Find the output head of a PEFT model and probe whether logits are that head of the hidden states."""
        self._head = cast("nn.Module", cast("Any", model).get_output_embeddings())
        self.uses_head = self._probe(model)

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
        places: list[_Places] = []
        for group in batch["groups"]:
            place = _places(group["sequences"], batch["starts"], mask)
            places.append(place)
            with torch.no_grad(), adapter.disable_adapter():
                ref_states.append(self._states(adapter, group["inputs"])[place.local, place.position])
            policy_states.append(self._states(model, group["inputs"])[place.local, place.position])
        sequence = torch.cat([place.sequence for place in places])
        token = torch.cat([place.token for place in places])
        stats = chunked_token_stats(
            self._head if self.uses_head else nn.Identity(),
            torch.cat(policy_states),
            torch.cat(ref_states),
            batch["labels"][sequence, token],
        )
        return TokenStats(*(_scatter(values, mask.shape, sequence, token) for values in stats))

    def _states(self, model: nn.Module, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return (n, L, D) inputs of the output head, or the (n, L, V) logits where the head is not all there is."""
        if not self.uses_head:
            return cast("Tensor", model(**inputs, use_cache=False).logits)
        return self._hidden_and_logits(model, inputs, keep=1)[0]

    def _hidden_and_logits(self, model: nn.Module, inputs: Mapping[str, Tensor], *, keep: int) -> tuple[Tensor, Tensor]:
        """Return the hidden states of all positions and the logits of the first `keep`."""
        hidden: list[Tensor] = []

        def intercept(_: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            hidden.append(arguments[0])
            return (arguments[0][:, :keep],)

        handle = self._head.register_forward_pre_hook(intercept)
        try:
            logits = model(**inputs, use_cache=False).logits
        finally:
            handle.remove()
        return hidden[0], logits

    @torch.no_grad()
    def _probe(self, model: nn.Module) -> bool:
        was_training = model.training
        model.eval()
        ids = torch.arange(4, device=next(self._head.parameters()).device)[None]
        hidden, logits = self._hidden_and_logits(
            model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, keep=ids.shape[1]
        )
        model.train(was_training)
        return torch.equal(self._head(hidden).float(), logits.float())


def _places(sequences: Tensor, starts: Tensor, mask: Tensor) -> _Places:
    local, token = mask[sequences].nonzero(as_tuple=True)
    sequence = sequences[local]
    return _Places(local, sequence, token, starts[sequence] + token - 1)


def _scatter(values: Tensor, shape: torch.Size, sequence: Tensor, token: Tensor) -> Tensor:
    return values.new_zeros(shape).index_put((sequence, token), values)
