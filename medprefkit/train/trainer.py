"""transformers' Trainer with the method's objective: what a step computes, logs and warns of."""

import logging
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback, TrainerCallback

from medprefkit.errors import TrainError
from medprefkit.train.collate import PreferenceCollator
from medprefkit.train.forward import KlPlan, ResponseScorer
from medprefkit.train.losses import AnswerTokens, CorruptedTokens, PreferenceLoss, preference_loss
from medprefkit.train.metrics import MetricSums, batch_metrics
from medprefkit.train.settings import ObjectiveSettings
from medprefkit.train.token_stats import KlUse, TokenStats

logger = logging.getLogger(__name__)


class PreferenceTrainer(Trainer):
    """Trains a PEFT model on preference rows; the reference is the model with its adapter off.

    Attributes:
        warnings: What it warned of, each once.
    """

    # The loss is a mean over the rows of a batch: transformers divides it by the batches of a step.
    loss_is_scaled_for_ga = False

    def __init__(
        self,
        *,
        model: nn.Module,
        args: TrainingArguments,
        collator: PreferenceCollator,
        settings: ObjectiveSettings,
        train_dataset: Any,
        eval_dataset: Any = None,
        chosen_drop_nats: float = 3.0,
        callbacks: list[TrainerCallback] | None = None,
    ) -> None:
        """Build.

        Args:
            model: A PEFT model with one LoRA adapter.
            args: transformers' arguments; `remove_unused_columns` must be off, since every column is read.
            collator: Makes batches of rows; told here whether the model lets answers share their prompt.
            settings: The objective.
            train_dataset: Rows by the column contract, all trainable.
            eval_dataset: As `train_dataset`, or None.
            chosen_drop_nats: Warn once when, over the steps of one log line, the chosen answers have on average become
                less likely than under the reference by more than this (nats an answer).
            callbacks: Further callbacks; none prints to the terminal unless given here.

        Raises:
            TrainError: If arguments exclude each other or the model is not a PEFT model.
        """
        if args.remove_unused_columns:
            raise TrainError("remove_unused_columns must be False: the loss reads columns that the model does not")
        if not hasattr(model, "disable_adapter"):
            raise TrainError(f"{type(model).__name__} has no adapter to switch off for the reference")
        super().__init__(
            model=model,
            args=args,
            data_collator=collator,
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            callbacks=callbacks,
        )
        self.remove_callback(ProgressCallback)
        self.remove_callback(PrinterCallback)
        self.settings = settings
        self._adapted = model
        self._collator = collator
        self.chosen_drop_nats = chosen_drop_nats
        self.warnings: list[str] = []
        self._has_fallen = False
        self._n_seen = 0
        self._scorer = ResponseScorer(model)
        # Checkpointed layers keep no cache to share.
        collator.share_prompts = self._scorer.can_share_prompts and not args.activation_checkpointing
        self._sums = MetricSums()
        if not settings.is_anchored:
            self._warn("no KL and no anchor: nothing keeps the chosen answers likely; watch logps/chosen_vs_ref")

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,  # noqa: ARG002 (transformers passes it)
    ) -> Any:
        """Return the loss of a batch, with its terms where asked, and add its quantities to the next log line."""
        loss, sums = self._score(model, inputs)
        self._sums.add(sums)
        return (loss.loss, loss) if return_outputs else loss.loss

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,  # noqa: ARG002 (transformers passes it)
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Return every logged quantity over a dataset, each name with the prefix; changes nothing.

        The corrupted images are looked at even where the objective does not: grounding is compared across objectives.
        """
        sums = MetricSums()
        was_training, in_training = self._adapted.training, self._collator.corrupted
        self._adapted.eval()
        self._collator.corrupted = True
        with torch.no_grad(), self.compute_loss_context_manager():
            for batch in self.get_eval_dataloader(eval_dataset):
                sums.add(self._score(self._adapted, self._prepare_inputs(batch))[1])
        self._adapted.train(was_training)
        self._collator.corrupted = in_training
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in sums.drain(self._reduce).items()}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log, with the quantities since the last line; warn of a chosen answer that falls.

        How long it took is not logged: the same run leaves the same lines.

        Raises:
            TrainError: If the loss is no longer a number.
        """
        if "train_runtime" in logs:
            return
        if "loss" in logs:
            logs = {**logs, **self._sums.drain(self._reduce)}
            if not math.isfinite(logs["loss"]):
                raise TrainError(f"the loss is {logs['loss']} at step {self.state.global_step}; lower learning_rate")
        super().log(logs, start_time)
        self._warn_of_a_fall()

    def _warn_of_a_fall(self) -> None:
        """Look at the lines not yet looked at; after a resume these are also the lines from before."""
        for line in self.state.log_history[self._n_seen :]:
            gained = line.get("logps/chosen_vs_ref", 0.0)
            if gained < -self.chosen_drop_nats and not self._has_fallen:
                self._has_fallen = True
                self._warn(
                    f"the chosen answers are {-gained:.1f} nats less likely than at the start (step {line['step']}); "
                    "raise alpha_forward, or set anchor_weight"
                )
        self._n_seen = len(self.state.log_history)

    def _score(self, model: nn.Module, batch: Mapping[str, Any]) -> tuple[PreferenceLoss, Tensor]:
        adapter = self.accelerator.unwrap_model(model)
        plan = kl_plan(self.settings, len(batch["row_weights"]))
        chosen, rejected, corrupted = split_answers(self._scorer(model, adapter, batch, plan), batch)
        loss = preference_loss(self.settings, chosen, rejected, corrupted, batch["row_weights"])
        return loss, batch_metrics(self.settings, loss, chosen, rejected, corrupted)

    def _reduce(self, sums: Tensor) -> Tensor:
        reduced: Tensor = self.accelerator.reduce(sums, "sum")
        return reduced

    def _warn(self, message: str) -> None:
        self.warnings.append(message)
        logger.warning(message)


def kl_plan(settings: ObjectiveSettings, n_rows: int) -> KlPlan:
    """Say which sequences need KLs: the chosen ones, for the log at least; the rejected ones where the loss asks."""
    n_sequences = n_rows if settings.kl_sides in {None, "chosen"} else 2 * n_rows
    forward = settings.alpha_forward > 0 or settings.sequence_kl_weight > 0
    return KlPlan(n_sequences, KlUse(forward_gradient=forward, reverse_gradient=settings.alpha_reverse > 0))


def split_answers(
    stats: TokenStats, batch: Mapping[str, Any]
) -> tuple[AnswerTokens, AnswerTokens, CorruptedTokens | None]:
    """Divide the numbers of a batch's sequences (S, T) into chosen, rejected and chosen on the corrupted image."""
    n_rows = len(batch["row_weights"])
    answers = []
    for first in (0, n_rows):
        rows = slice(first, first + n_rows)
        answers.append(
            AnswerTokens(
                logps=stats.logps[rows],
                ref_logps=stats.ref_logps[rows],
                forward_kl=stats.forward_kl[rows],
                reverse_kl=stats.reverse_kl[rows],
                phrase_ids=batch["phrase_ids"][rows],
                phrase_weights=batch["phrase_weights"][rows],
                lesion_linked=batch["lesion_linked"][rows],
                token_mask=batch["label_mask"][rows],
            )
        )
    corrupted_rows: Tensor = batch["corrupted_rows"]
    if len(corrupted_rows) == 0:
        return answers[0], answers[1], None
    empty = torch.zeros_like(answers[0].logps)
    corrupted = CorruptedTokens(
        logps=empty.index_copy(0, corrupted_rows, stats.logps[2 * n_rows :]),
        ref_logps=empty.index_copy(0, corrupted_rows, stats.ref_logps[2 * n_rows :]),
        present=torch.zeros(n_rows, dtype=torch.bool, device=empty.device).index_fill(0, corrupted_rows, True),
    )
    return answers[0], answers[1], corrupted
