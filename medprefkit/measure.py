"""Measuring: the shipped steps over labelled answers and over texts compared with themselves; `evaluate/` scores.

The one place that runs the tool in order to measure it. Nothing is written to a run directory.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from medprefkit.context import RunContext
from medprefkit.errors import ImageError, RecipeError, SourceError
from medprefkit.evaluate.comparison import Comparison, compare
from medprefkit.evaluate.detection import expected_text
from medprefkit.evaluate.faults import find_faults
from medprefkit.evaluate.readings import Judged, Labelled, Reading, read_labelled
from medprefkit.evaluate.report import Section
from medprefkit.evaluate.rewording import reword
from medprefkit.evaluate.tables import tables_of
from medprefkit.images import read_ref, resolve
from medprefkit.models.calls import CallStore
from medprefkit.offsets import apply_edits
from medprefkit.protocols import Checker, Detector, Editor, Image
from medprefkit.recipe_sections import PluginSpec
from medprefkit.records import Answer, Case, Claims, Dropped, Edits, Example, ImageRef, Source, Verdict
from medprefkit.seeds import rng_for
from medprefkit.sources.rows import BrokenRow, Row, read_rows
from medprefkit.steps import CheckStep, DetectStep, EditStep, judge_cases
from medprefkit.wiring import plug_in

CALLS = Path("runs/evaluation-calls.sqlite")
"""What models said of labelled answers, so that no measurement is paid for twice."""

_BATCH = 64
_SOURCE = Source(name="measured", licence="unknown")


class Tool:
    """Detector, checker and editor as a run joins them.

    Args:
        detect: A registered detector's name.
        check: A registered checker's name.
        edit: A registered editor's name.
        check_with: The checker's options, each `KEY=VALUE` with a YAML value, as below `check.with` of a recipe.
        images: Folder of the images that labelled answers name; None: they are judged without.

    Raises:
        RecipeError: If a name is not installed, or an option is not the checker's.
    """

    def __init__(
        self, *, detect: str, check: str, edit: str, check_with: Sequence[str] = (), images: Path | None = None
    ) -> None:
        self.images, self.options = images, _options(check_with)
        detector: Detector = plug_in("detectors", PluginSpec(use=detect))
        checker: Checker = plug_in("checkers", PluginSpec(use=check, with_=self.options), _context(images))
        self.checker = checker
        self._editor: Editor = plug_in("editors", PluginSpec(use=edit))
        self._detect, self._check = DetectStep(detector), CheckStep(checker)
        self._edit = EditStep(self._editor, detector, checker)

    def read(self, examples: Sequence[Example], texts: Sequence[str]) -> list[Case]:
        """Return the texts with what they claim, not yet judged."""
        cases = [_case(example, text) for example, text in zip(examples, texts, strict=True)]
        return [Case(c.example, c.answer, claims) for c, claims in zip(cases, self._detect(cases), strict=True)]

    def judge(self, examples: Sequence[Example], texts: Sequence[str]) -> list[Judged]:
        """Judge one text an example against the example's reference; a text with edits is read and judged again."""
        judged: list[Judged] = []
        for start in range(0, len(examples), _BATCH):
            batch = zip(examples[start : start + _BATCH], texts[start : start + _BATCH], strict=True)
            judged += self._judge([_case(example, text) for example, text in batch])
        return judged

    def _judge(self, cases: list[Case]) -> list[Judged]:
        checked = judge_cases(cases, self._detect, self._check)
        proposals = [() if isinstance(p, Dropped) else p for p in self._editor(checked)]
        outcomes = self._edit(checked)
        proposed_texts = [apply_edits(_text(case), edits).text for case, edits in zip(checked, proposals, strict=True)]
        kept_texts = [
            outcome.chosen if isinstance(outcome, Edits) else _text(case)
            for case, outcome in zip(checked, outcomes, strict=True)
        ]
        return [
            Judged(
                text=_text(case),
                claims=_claims(case).answer,
                verdicts=case.verdicts.verdicts if case.verdicts is not None else (),
                proposed=proposed,
                proposed_text=proposed_text,
                left_in_proposed=left_in_proposed,
                kept=outcome.edits if isinstance(outcome, Edits) else (),
                kept_text=kept_text,
                left_in_kept=left_in_kept,
                abstained=f"{outcome.reason}: {outcome.detail}" if isinstance(outcome, Dropped) else "",
            )
            for case, proposed, proposed_text, left_in_proposed, outcome, kept_text, left_in_kept in zip(
                checked,
                proposals,
                proposed_texts,
                self._left(checked, proposed_texts),
                outcomes,
                kept_texts,
                self._left(checked, kept_texts),
                strict=True,
            )
        ]

    def _left(self, cases: Sequence[Case], texts: Sequence[str]) -> list[tuple[Verdict, ...]]:
        """Return what is contradicted in the texts that were changed; nothing for those that were not."""
        changed = [k for k, (case, text) in enumerate(zip(cases, texts, strict=True)) if text != _text(case)]
        again = judge_cases([_case(cases[k].example, texts[k]) for k in changed], self._detect, self._check)
        left: list[tuple[Verdict, ...]] = [()] * len(cases)
        for k, case in zip(changed, again, strict=True):
            verdicts = case.verdicts.verdicts if case.verdicts is not None else ()
            left[k] = tuple(verdict for verdict in verdicts if verdict.target is not None)
        return left


def _context(images: Path | None) -> RunContext:
    """Return what a checker that asks models is lent: the images of a folder, no masks, and calls are kept."""
    return RunContext(
        run_seed=0,
        stage="check",
        calls=CallStore(CALLS, run="evaluation"),
        images=functools.partial(_images, images),
        without_lesion=_without_lesion,
        policy=None,
        member=functools.partial(_member, images),
    )


def _member(images: Path | None, use: str, options: Mapping[str, Any]) -> Checker:
    member: Checker = plug_in("checkers", PluginSpec(use=use, with_=dict(options)), _context(images))
    return member


def _images(folder: Path | None, example: Example) -> tuple[Image, ...]:
    return tuple(read_ref(folder, ref) for ref in example.images) if folder is not None else ()


def _without_lesion(_: Example) -> None:
    """Labelled answers have no lesion masks."""


def read_labels(file: Path) -> list[Labelled]:
    """Read a labelled file, JSONL, JSON or Parquet.

    Raises:
        SourceError: If it cannot be read, a row is not a labelled answer, or two rows share an id.
    """
    labelled = [read_labelled(row.values) for row in _rows(file)]
    ids = [item.row.id for item in labelled]
    if len(set(ids)) != len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise SourceError(f"{file.name}: the id {twice!r} stands twice; every answer needs its own")
    return labelled


def measure_labelled(tool: Tool, labelled: Sequence[Labelled]) -> list[Reading]:
    """Judge every labelled answer, and its labelled correction, against its reference."""
    examples = [example_of(item, tool.images) for item in labelled]
    answers = tool.judge(examples, [item.row.answer for item in labelled])
    corrected = tool.judge(examples, [expected_text(item.row) for item in labelled])
    return [Reading(*both) for both in zip(labelled, answers, corrected, strict=True)]


def example_of(item: Labelled, images: Path | None) -> Example:
    """Return what a labelled answer answers, with its image where that is a file below the folder."""
    example = _example(item.row.id, item.prompt, item.reference, is_report=item.row.task == "report")
    found = (ImageRef(path=item.image),) if images is not None and _is_at_hand(images, item.image) else ()
    source = _SOURCE.model_copy(update={"credentialed": item.credentialed})
    return example.model_copy(update={"images": found, "source": source})


def _is_at_hand(images: Path, name: str) -> bool:
    if not name:
        return False
    try:
        return resolve(images, name).is_file()
    except ImageError:
        return False


class Measured(NamedTuple):
    """One labelled file, measured: the numbers, and the same with every fault, to be printed."""

    name: str
    comparison: Comparison
    section: Section


def measure_files(tool: Tool, files: Sequence[Path]) -> list[Measured]:
    """Measure the tool on every labelled file, each by itself.

    Raises:
        SourceError: As `read_labels`.
    """
    names = [file.name for file in files]
    if len(set(names)) != len(names):
        names = [str(file) for file in files]
    measured = []
    for name, file in zip(names, files, strict=True):
        readings = measure_labelled(tool, read_labels(file))
        comparison = compare(readings)
        measured.append(Measured(name, comparison, Section(name, tables_of(comparison), find_faults(readings))))
    return measured


class OwnText(NamedTuple):
    """A text of a table under its id."""

    id: str
    text: str


def read_texts(file: Path, *, columns: Sequence[str], id_column: str | None) -> list[OwnText]:
    """Read texts of a table; the columns of a row are joined by line feeds, and a row without text is left out.

    Args:
        file: CSV, JSONL, JSON or Parquet.
        columns: Where the text stands.
        id_column: What a row is called; its number where None.

    Raises:
        SourceError: If the file cannot be read or has no such column.
    """
    table = read_rows(file)
    table.require(*columns, *([id_column] if id_column else []), setting="--text")
    texts = []
    for row in _readable(table.rows):
        parts = [str(row.values.get(column) or "").strip() for column in columns]
        if text := "\n".join(part for part in parts if part):
            texts.append(OwnText(str(row.values[id_column]) if id_column else str(row.number), text))
    return texts


def measure_self(
    tool: Tool, texts: Sequence[OwnText], *, prompt: str, paraphrase_seed: int | None = None
) -> list[tuple[OwnText, Judged]]:
    """Judge every text against itself: whatever is called wrong is a false alarm, or a text that contradicts itself.

    Args:
        tool: What judges.
        texts: The texts.
        prompt: What every text answers.
        paraphrase_seed: Judge the text in other words, drawn from this seed; in its own where None.
    """
    examples = [_example(own.id, prompt, own.text, is_report=True) for own in texts]
    said = [own.text for own in texts]
    if paraphrase_seed is not None:
        said = [reword(own.text, rng_for(paraphrase_seed, "reword", own.id)) for own in texts]
    return list(zip(texts, tool.judge(examples, said), strict=True))


def _options(given: Sequence[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for one in given:
        key, equals, text = one.partition("=")
        if not equals or not key:
            raise RecipeError(f"--check-with {one}: write key=value, for instance --check-with model=runs/checker")
        try:
            options[key] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise RecipeError(f"--check-with {one}: the value is not YAML") from error
    return options


def _rows(file: Path) -> list[Row]:
    return list(_readable(read_rows(file).rows))


def _readable(rows: Iterator[Row | BrokenRow]) -> Iterator[Row]:
    for row in rows:
        if isinstance(row, BrokenRow):
            raise SourceError(f"{row.where}: {row.problem}")
        yield row


def _example(name: str, prompt: str, reference: str, *, is_report: bool) -> Example:
    return Example(
        id=name,
        group_id=name,
        task="report" if is_report else "vqa",
        prompt=prompt,
        reference=reference,
        source=_SOURCE,
    )


def _case(example: Example, text: str) -> Case:
    return Case(example, Answer(id=example.id, text=text, model="measured"))


def _text(case: Case) -> str:
    if case.answer is None:
        raise ValueError(f"{case.example.id}: only a text can be judged")
    return case.answer.text


def _claims(case: Case) -> Claims:
    if case.claims is None:
        raise ValueError(f"{case.example.id}: not read yet")
    return case.claims
