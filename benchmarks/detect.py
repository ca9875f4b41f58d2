"""How fast the whole correction of an answer is, beside negspacy on the same texts, and what memory it takes.

    python benchmarks/detect.py DATA > detect.json        # the table goes to stderr

DATA is the folder that holds `mmedpo/`, pairs in MMedPO's format: a model's answer and a reference. Ours reads answer
and reference, judges, edits, reads the edited text and judges again; each of these texts counts as one, a second
rereading of the same answer does not. The peer is negspacy as its documentation sets it up: blank English, sentencizer,
an EntityRuler with the names of the same lexicon, negex; it reads the very same texts, and only finds and negates. One
core, runs A B A B; the second round has other pairs than the first, so that neither side sees a text again but where
the data repeat it. Memory is the peak of a fresh process that streams n, then 10 n answers, seen after every batch.
"""

import argparse
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from medprefkit.check.reference import ReferenceChecker
from medprefkit.detect.lexicon import LexiconDetector
from medprefkit.edit.minimal import MinimalEditor
from medprefkit.engines.local import LocalEngine
from medprefkit.lexicon import lexicon
from medprefkit.offsets import apply_edits
from medprefkit.records import Answer, Case, Dropped, Example
from medprefkit.sources.licences import MmedpoSubset
from medprefkit.sources.mmedpo import read_mmedpo
from medprefkit.steps import CheckStep, DetectStep, EditStep

SUBSETS: dict[MmedpoSubset, str] = {
    "iuxray": "iuxray_dpo_weighted.json",
    "slake": "slake_dpo_weighted.json",
    "vqa_rad": "vqa-rad_dpo_weighted.json",
}
SIDES = ("medprefkit", "negspacy")
BATCH = 64

Side = Literal["medprefkit", "negspacy"]


class Correction:
    """One step from cases to their edited texts: detect, check, edit and verify."""

    def __init__(self) -> None:
        detector, checker, self.editor = LexiconDetector(), ReferenceChecker(), MinimalEditor()
        self.detect, self.check = DetectStep(detector), CheckStep(checker)
        self.edit = EditStep(self.editor, detector, checker)

    def read(self, batch: Sequence[Case]) -> list[Case]:
        """Detect and check."""
        found = self.detect(batch)
        read = [Case(case.example, case.answer, claims) for case, claims in zip(batch, found, strict=True)]
        said = self.check(read)
        return [Case(c.example, c.answer, c.claims, verdicts) for c, verdicts in zip(read, said, strict=True)]

    def __call__(self, batch: Sequence[Case]) -> list[bool]:
        """Return for each case whether it has edits that hold."""
        return [not isinstance(outcome, Dropped) for outcome in self.edit(self.read(batch))]


def make_negspacy() -> Any:
    """Build the peer's pipeline."""
    import spacy
    from negspacy.negation import Negex  # noqa: F401 (registers the component)

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    ruler: Any = nlp.add_pipe("entity_ruler", config={"phrase_matcher_attr": "LOWER"})
    named = [c for c in lexicon().concepts.values() if c.kind in {"finding", "device"}]
    ruler.add_patterns([{"label": c.kind, "pattern": name} for c in named for name in (c.name, *c.synonyms)])
    nlp.add_pipe("negex")
    return nlp


def read_cases(data: Path, n: int) -> list[Case]:
    """Return n pairs, dealt evenly from the subsets."""
    outcomes = [read_mmedpo(data, path=f"mmedpo/{file}", subset=name) for name, file in SUBSETS.items()]
    kept = [[outcome for outcome in of_one if isinstance(outcome, Example)] for of_one in outcomes]
    dealt = [example for turn in _turns(kept) for example in turn][:n]
    return [Case(e, Answer(id=e.id, text=e.answer or "", model=e.answer_model)) for e in dealt]


def _turns(lists: Sequence[Sequence[Example]]) -> Iterator[list[Example]]:
    for k in range(max(len(one) for one in lists)):
        yield [one[k] for one in lists if k < len(one)]


def texts_of(cases: Sequence[Case], correction: Correction) -> list[str]:
    """Return every text that the correction reads: answers, references, and the text of every proposed edit, once."""
    texts = []
    checked = correction.read(cases)
    for case, edits in zip(checked, correction.editor(checked), strict=True):
        answer = case.answer.text if case.answer is not None else ""
        texts += [answer, case.example.reference]
        if not isinstance(edits, Dropped) and edits:
            texts.append(apply_edits(answer, edits).text)
    return texts


def seconds(work: Callable[[], None]) -> float:
    """Return how long the work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure_speed(cases: Sequence[Case]) -> dict[str, Any]:
    """Run both sides A B A B, the first two on one half of the cases and the others on the other half.

    The first batch is the warm-up of both.
    """
    correction, nlp = Correction(), make_negspacy()
    _correct_all(correction, cases[:BATCH])
    _negate_all(nlp, texts_of(cases[:BATCH], correction))
    gc.collect()
    gc.freeze()  # the tables of the one side are no garbage to look through in the time of the other
    half = (len(cases) - BATCH) // 2
    rounds = (cases[BATCH : BATCH + half], cases[BATCH + half :])
    runs: dict[str, list[float]] = {"medprefkit": [], "negspacy": []}
    read: list[str] = []
    for pairs in rounds:
        ours = seconds(partial(_correct_all, correction, pairs))
        texts = texts_of(pairs, correction)
        theirs = seconds(partial(_negate_all, nlp, texts))
        runs["medprefkit"].append(len(texts) / ours)
        runs["negspacy"].append(len(texts) / theirs)
        read += texts
    speed = {side: statistics.mean(values) for side, values in runs.items()}
    return {
        "n_answers": sum(len(pairs) for pairs in rounds),
        "n_texts": len(read),
        "words_per_text": sum(len(text.split()) for text in read) / max(len(read), 1),
        "texts_per_second": runs,
        "ratio": speed["medprefkit"] / speed["negspacy"],
    }


def _correct_all(correction: Correction, cases: Sequence[Case]) -> None:
    for _ in LocalEngine().map(partial(_itself, correction), cases, batch_size=BATCH):
        pass


def _itself(correction: Correction) -> Correction:
    return correction


def _negate_all(nlp: Any, texts: Sequence[str]) -> None:
    for doc in nlp.pipe(texts):
        _ = [(entity.label_, entity._.negex) for entity in doc.ents]


def run_alone(side: Side, cases: Sequence[Case]) -> int:
    """Stream the cases through one side; return the peak memory of this process, bytes.

    The operating system's own peak is not used: a child process inherits its parent's.
    """
    import psutil

    work: Any = Correction() if side == "medprefkit" else make_negspacy()
    process, peak = psutil.Process(), 0
    for start in range(0, len(cases), BATCH):
        batch = cases[start : start + BATCH]
        if side == "medprefkit":
            work(batch)
        else:
            answers = [case.answer.text for case in batch if case.answer is not None]
            for _ in work.pipe(answers + [case.example.reference for case in batch]):
                pass
        peak = max(peak, process.memory_info().rss)
    return peak


def measure_memory(data: Path, n: int) -> dict[str, dict[str, int]]:
    """Return side -> number of answers -> peak bytes, each from a fresh process that holds 10 n pairs."""
    peaks: dict[str, dict[str, int]] = {}
    for side in SIDES:
        peaks[side] = {}
        for size in (n, 10 * n):
            command = [sys.executable, __file__, str(data), "--answers", str(n), "--alone", side, "--stream", str(size)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            peaks[side][str(size)] = int(done.stdout)
    return peaks


def as_table(result: dict[str, Any]) -> str:
    """Return the result for a reader."""
    speed, memory = result["speed"], result["peak_rss_bytes"]
    sizes = list(memory["medprefkit"])
    lines = [
        f"{speed['n_answers']} answers, {speed['n_texts']} texts of {speed['words_per_text']:.0f} words, one core",
        f"{'':12}{'texts/s':>10}{'again':>10}" + "".join(f"{f'MB, {size}':>12}" for size in sizes),
    ]
    for side in SIDES:
        first, second = speed["texts_per_second"][side]
        peaks = "".join(f"{memory[side][size] / 1e6:12.0f}" for size in sizes)
        lines.append(f"{side:12}{first:10.0f}{second:10.0f}{peaks}")
    return "\n".join([*lines, f"medprefkit / negspacy: {speed['ratio']:.2f}"])


def main() -> None:
    """Run the benchmark, or say why not."""
    parser = argparse.ArgumentParser(description="Speed and memory of detection, beside negspacy.")
    parser.add_argument("data", nargs="?", type=Path, help="folder that holds mmedpo/")
    parser.add_argument("--answers", type=int, default=600, help="pairs; speed and memory also see ten times as many")
    parser.add_argument("--alone", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--stream", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.data is None or not all((options.data / "mmedpo" / file).is_file() for file in SUBSETS.values()):
        where = options.data or "no folder given"
        print(f"detect: skipped, {where}: needs a folder with mmedpo/{', '.join(SUBSETS.values())}", file=sys.stderr)
        return
    try:
        import negspacy  # noqa: F401 (is it installed)
    except ModuleNotFoundError:
        print("detect: skipped, negspacy is not installed: pip install -c constraints.txt negspacy", file=sys.stderr)
        return
    if hasattr(os, "sched_setaffinity"):  # not on macOS
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    if options.alone:
        cases = read_cases(options.data, 10 * options.answers)  # the same pairs in memory whatever is streamed
        print(run_alone(options.alone, cases[: options.stream]))
        return
    result = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}, one core",
        "speed": measure_speed(read_cases(options.data, 10 * options.answers)),
        "peak_rss_bytes": measure_memory(options.data, options.answers),
    }
    print(as_table(result), file=sys.stderr)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
