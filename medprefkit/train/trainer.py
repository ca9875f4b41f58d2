"""transformers' Trainer with the method's objective: what a step computes, logs and warns of."""

import json
import logging
import math
import os
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.utils.data import DataLoader
from transformers import Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback, TrainerCallback
from transformers.trainer_pt_utils import LengthGroupedSampler

from medprefkit.errors import TrainError
from medprefkit.train.collate import PreferenceCollator
from medprefkit.train.forward import KlPlan, ResponseScorer, decoder_layers
from medprefkit.train.journal import SPEED
from medprefkit.train.losses import AnswerTokens, CorruptedTokens, PreferenceLoss, preference_loss
from medprefkit.train.memory import MemoryEstimate, estimate_memory, peak_memory_bytes
from medprefkit.train.metrics import MetricSums, batch_metrics
from medprefkit.train.reference_cache import CachedRows, missing_shards, row_reference, write_shard
from medprefkit.train.settings import ObjectiveSettings
from medprefkit.train.stream import Position, StreamedRows
from medprefkit.train.token_stats import KlUse, TokenStats

logger = logging.getLogger(__name__)


class PreferenceTrainer(Trainer):
    """Trains a model on preference rows; the reference is the model with its adapter off, or a frozen copy.

    Attributes:
        warnings: What it warned of, each once.
        n_response_tokens: Response tokens trained on, by this process, since it started.
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
        reference: nn.Module | None = None,
        n_tokens: Sequence[int] | None = None,
        callbacks: list[TrainerCallback] | None = None,
    ) -> None:
        """Build.

        Args:
            model: A PEFT model with one LoRA adapter; or any model, beside a reference.
            args: transformers' arguments; `remove_unused_columns` must be off, since every column is read.
            collator: Makes batches of rows; told here whether the model lets answers share their prompt.
            settings: The objective.
            train_dataset: Rows by the column contract, all trainable.
            eval_dataset: As `train_dataset`, or None.
            chosen_drop_nats: Warn once when, over the steps of one log line, the chosen answers have on average become
                less likely than under the reference by more than this (nats an answer).
            reference: A frozen copy of the model as it begins.
            n_tokens: Of each row; batches are then made of rows of like length.
            callbacks: Further callbacks; none prints to the terminal unless given here.

        Raises:
            TrainError: If arguments exclude each other, or the model has neither an adapter nor a reference.
        """
        if args.remove_unused_columns:
            raise TrainError("remove_unused_columns must be False: the loss reads columns that the model does not")
        if reference is None and not hasattr(model, "disable_adapter"):
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
        self._adapted: Any = model
        self._collator = collator
        self.chosen_drop_nats = chosen_drop_nats
        self.warnings: list[str] = []
        self._has_fallen = False
        self._n_seen = 0
        self._n_tokens = n_tokens
        self._stream_begin: Position | None = None
        if reference is not None:
            reference.to(self.args.device).eval()
        self._scorer = ResponseScorer(model, reference=reference)
        if os.environ.get("ACCELERATE_USE_FSDP") == "true" and not self.is_fsdp_enabled:
            self._warn("FSDP is off: accelerate shards between accelerators only; each process holds the whole model")
        if self.is_fsdp_enabled:
            self._scorer.most_passes = self._most_passes
            # Of a vision-language model, transformers' own list names layers that it does not have. Image towers stay
            # whole, so that a process whose rows have no image gathers what the others gather.
            layers = {type(layer).__name__ for layer in decoder_layers(model)}
            self.accelerator.state.fsdp_plugin.transformer_cls_names_to_wrap = sorted(layers)
        collator.corrupted_answer = settings.ground_against
        collator.share_prompts = self._scorer.can_share_prompts and not args.activation_checkpointing
        if not collator.share_prompts:
            why = (
                "checkpointed layers keep no cache" if args.activation_checkpointing else "this model does not allow it"
            )
            logger.info("train     each answer is encoded with its own prompt: %s", why)
        if not self._scorer.uses_head:
            logger.info("train     this model's logits are more than its head: they are kept for every response token")
        self._sums = MetricSums()
        self.n_response_tokens = 0
        self._told = (time.perf_counter(), 0)
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
        self.n_response_tokens += int(inputs["label_mask"].sum())
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
        metrics = {
            f"{metric_key_prefix}_{name}": value for name, value in self._named(sums.drain(self._reduce)).items()
        }
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log, with the quantities since the last line; warn of a chosen answer that falls.

        Speed and memory go to the callbacks, and not into the state: the same run leaves the same lines.

        Raises:
            TrainError: If the loss is no longer a number.
        """
        if "train_runtime" in logs:
            return
        if isinstance(self.train_dataset, StreamedRows):
            self.state.epoch = float(self._train_stream.position().epoch)  # whole passes: it has no length
        if "loss" in logs:
            logs = {**logs, **self._named(self._sums.drain(self._reduce)), **self._speed()}
            if not math.isfinite(logs["loss"]):
                raise TrainError(f"the loss is {logs['loss']} at step {self.state.global_step}; lower learning_rate")
        super().log(logs, start_time)
        for name in SPEED:  # from what a checkpoint keeps
            self.state.log_history[-1].pop(name, None)
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

    def memory_estimate(self, longest: Mapping[str, Any]) -> MemoryEstimate:
        """Estimate what a step will hold, from the longest row as if a batch were made of it."""
        batch = self._collator([longest])
        n_tokens = sum(
            each.numel()
            for group in batch["groups"]
            for each in (
                [group["prompts"]["input_ids"], group["answers"]]
                if "prompts" in group
                else [group["inputs"]["input_ids"]]
            )
        )
        return estimate_memory(
            self._adapted,
            n_tokens=n_tokens * self.args.train_batch_size,
            has_reference=self._scorer.has_reference,
            gradient_checkpointing=bool(self.args.activation_checkpointing),
        )

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the weights of a checkpoint; every process must call it."""
        if not self.is_fsdp_enabled:
            super().save_model(output_dir, _internal_call)
            return
        state = self._gathered_weights()
        if self.args.should_save:
            self._save(output_dir, state_dict=state)

    def save_weights(self, folder: Path) -> None:
        """Save the adapter, or the whole model where there is none; every process must call it."""
        options = {"state_dict": self._gathered_weights()} if self.is_fsdp_enabled else {}
        if self.is_world_process_zero():
            self._adapted.save_pretrained(str(folder), **options)

    def use_reference_cache(self, folder: Path) -> None:
        """Ask the reference once for every training row that `folder` does not hold, and read it from there instead.

        A row at a time, so that what is kept depends on no batch. Each process fills the shards that fall to it.
        """
        rank, n_processes = self.accelerator.process_index, self.accelerator.num_processes
        rows: Any = self.train_dataset
        was_training = self._adapted.training
        self._adapted.eval()
        for number, (path, indices) in enumerate(list(missing_shards(folder, len(rows)))):
            if number % n_processes != rank:
                continue
            kept: dict[str, Tensor] = {}
            for index in indices:
                batch = self._prepare_inputs(self._collator([rows[index]]))
                with self.compute_loss_context_manager():
                    found = self._scorer.reference(self._adapted, batch, kl_plan(self.settings, 1).n_sequences)
                kept |= row_reference(*found, batch, index)
            write_shard(path, kept)
        self._adapted.train(was_training)
        self.accelerator.wait_for_everyone()
        self.train_dataset = CachedRows(rows, folder)

    def get_train_dataloader(self) -> Any:
        """Return the batches; of a stream, each process reads its own part, where accelerate would read all in one."""
        if not isinstance(self.train_dataset, StreamedRows):
            return super().get_train_dataloader()
        stream = self._train_stream = self._part(self.train_dataset)
        if self._stream_begin is not None:
            stream.go_on_from(self._stream_begin)
        return DataLoader(stream, batch_size=self.args.train_batch_size, collate_fn=self._collator)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        """Return the batches to evaluate on."""
        rows = self.eval_dataset if eval_dataset is None else eval_dataset
        if not isinstance(rows, StreamedRows):
            return super().get_eval_dataloader(eval_dataset)
        # Where processes share one model they must make the same passes: then each reads every row, and the averages
        # are those of the rows.
        rows = rows if self.is_fsdp_enabled else self._part(rows)
        return DataLoader(rows, batch_size=self.args.eval_batch_size, collate_fn=self._collator)

    def go_on_from(self, checkpoint: Path) -> None:
        """Let a stream go on with the row after those that a checkpoint had seen; rows by number need no such thing.

        Raises:
            TrainError: If another number of processes made the checkpoint.
        """
        if not isinstance(self.train_dataset, StreamedRows):
            return
        path = checkpoint / self._stream_file()
        if not path.exists():
            raise TrainError(f"{checkpoint} has no {path.name}: go on with as many processes as it was begun with")
        self._stream_begin = Position(**json.loads(path.read_text("utf-8")))

    def rows_of_stream(self) -> tuple[int, dict[str, int]]:
        """Return how many rows of a stream were trained on in its first pass, and the others by reason, in total."""
        refused: Counter[str] = Counter()
        parts = gather_object([(self._train_stream.n_kept, dict(self._train_stream.refused))])
        for _, reasons in parts:
            refused.update(reasons)
        return sum(n_kept for n_kept, _ in parts), dict(refused)

    def _save_rng_state(self, output_dir: str) -> None:
        super()._save_rng_state(output_dir)
        if isinstance(self.train_dataset, StreamedRows):
            text = json.dumps(self._train_stream.position()._asdict())
            (Path(output_dir) / self._stream_file()).write_text(text, "utf-8")
            self.accelerator.wait_for_everyone()  # the state, written next, says that the checkpoint is whole

    def _stream_file(self) -> str:
        return f"stream_{self.accelerator.process_index}_of_{self.accelerator.num_processes}.json"

    def _part(self, rows: StreamedRows) -> StreamedRows:
        return rows.part(self.accelerator.process_index, self.accelerator.num_processes)

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        if self._n_tokens is None:
            return super()._get_train_sampler(train_dataset)
        n_a_step = self.args.train_batch_size * self.args.gradient_accumulation_steps
        return LengthGroupedSampler(n_a_step, lengths=list(self._n_tokens))

    def _speed(self) -> dict[str, float]:
        """Return response tokens a second since the last line, on this device, and its peak memory so far."""
        then, n_before = self._told
        self._told = now, n_now = time.perf_counter(), self.n_response_tokens
        return dict(zip(SPEED, ((n_now - n_before) / (now - then), peak_memory_bytes() / 2**30), strict=True))

    def _score(self, model: nn.Module, batch: Mapping[str, Any]) -> tuple[PreferenceLoss, Tensor]:
        adapter = self.accelerator.unwrap_model(model)
        for module in self._whole_modules():
            module.set_reshard_after_forward(False, recurse=False)
        plan = kl_plan(self.settings, len(batch["row_weights"]))
        chosen, rejected, corrupted = split_answers(self._scorer(model, adapter, batch, plan), batch)
        loss = preference_loss(self.settings, chosen, rejected, corrupted, batch["row_weights"])
        return loss, batch_metrics(self.settings, loss, chosen, rejected, corrupted)

    def _named(self, averages: dict[str, float]) -> dict[str, float]:
        """Return the averages; what is no plain KL does not go by its name."""
        name_of_kl = "kl/" if self.settings.skew == 0 else "kl/skewed_"
        return {re.sub("^kl/", name_of_kl, name): value for name, value in averages.items()}

    def _whole_modules(self) -> tuple[Any, ...]:
        """Return what of a sharded model stays whole after a forward pass: what is read outside of it."""
        return (self._adapted, self._adapted.get_output_embeddings()) if self.is_fsdp_enabled else ()

    def _gathered_weights(self) -> dict[str, Tensor]:
        """Return what learns, whole, of a model that processes share: not the base, which would not fit on one."""
        for module in self._whole_modules():
            module.reshard()
        learning = ((name, each) for name, each in self._adapted.named_parameters() if each.requires_grad)
        return {name: each.full_tensor().cpu() if isinstance(each, DTensor) else each.cpu() for name, each in learning}

    def _most_passes(self, n_passes: int) -> int:
        counts = self.accelerator.gather(torch.tensor([n_passes], device=self.args.device))
        return int(counts.max())

    def _reduce(self, sums: Tensor) -> Tensor:
        reduced: Tensor = self.accelerator.reduce(sums, "sum")
        return reduced

    def _warn(self, message: str) -> None:
        self.warnings.append(message)
        logger.warning(message)


def kl_plan(settings: ObjectiveSettings, n_rows: int) -> KlPlan:
    """Say which sequences have KLs, and which of them the loss sends a gradient through."""
    n_sequences = len(settings.answers_with_kl) * n_rows
    forward = settings.alpha_forward > 0 or settings.sequence_kl_weight > 0
    use = KlUse(forward_gradient=forward, reverse_gradient=settings.alpha_reverse > 0, skew=settings.skew)
    return KlPlan(n_sequences, use)


def split_answers(
    stats: TokenStats, batch: Mapping[str, Any]
) -> tuple[AnswerTokens, AnswerTokens, CorruptedTokens | None]:
    """Divide the numbers of a batch's sequences (S, T) into chosen, rejected and those on the corrupted image."""
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
                token_weights=batch["token_weights"][rows] if "token_weights" in batch else None,
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
