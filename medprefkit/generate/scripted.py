"""Answers that the source already holds: a model's words from an earlier run, or a script."""

from collections.abc import Sequence

from medprefkit.records import Answer, Dropped, Example


class Scripted:
    """Hands on each example's own answer, byte for byte."""

    def __init__(self, *, answers: dict[str, str] | None = None, model: str = "") -> None:
        """Remember the script.

        Args:
            answers: Example id -> answer, for sources that hold none; goes before the source's own.
            model: Named in the answer where the example does not name the model itself.
        """
        self._answers = answers or {}
        self._model = model

    def __call__(self, batch: Sequence[Example]) -> list[Answer | Dropped]:
        """Return one answer an example, in order; without words to hand on, why there are none."""
        return [self._answer(example) for example in batch]

    def _answer(self, example: Example) -> Answer | Dropped:
        text = self._answers.get(example.id, example.answer)
        if text is None:
            detail = f"{example.id}: its source holds no answer; add one, or choose a generator that asks a model"
            return Dropped(id=example.id, stage="generate", reason="answer_missing", detail=detail)
        if not text.strip():
            detail = f"{example.id}: its answer is {text!r}; nothing can be checked in it"
            return Dropped(id=example.id, stage="generate", reason="answer_empty", detail=detail)
        return Answer(id=example.id, text=text, model=example.answer_model or self._model)
