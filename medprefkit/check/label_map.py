"""Which output of a classifier means which verdict, and what a folder of `medprefkit train-checker` says of itself."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from medprefkit.check.statements import LABELS, Label
from medprefkit.errors import ModelError

SETTINGS_FILE = "checker.json"
_MEANINGS: Mapping[str, Label] = {
    "supported": "supported",
    "contradicted": "contradicted",
    "unverifiable": "unverifiable",
    "entailment": "supported",
    "entail": "supported",
    "contradiction": "contradicted",
    "contradict": "contradicted",
    "neutral": "unverifiable",
}


class CheckerSettings(BaseModel):
    """How a checker reads a claim, and how sure it must be. Saved beside the weights."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    format_version: Literal[1] = 1
    claim_form: Literal["focus", "sentence"] = "sentence"
    """`focus`: the words that name the claim stand before its sentence, as the model was trained to read it."""
    claim_first: bool = False
    """Whether the claim is the first of the two texts; NLI models take the premise, the reference, first."""
    max_tokens: Annotated[int, Field(ge=16)] = 256
    """Of claim and reference together; the reference is cut at its end where its sentences are longer than that."""
    max_reference_words: Annotated[int, Field(ge=1)] = 120
    """Of a longer reference the most telling sentences are read."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """What logits are divided by, so that a probability is the share of cases in which it is right."""
    thresholds: dict[Label, Annotated[float, Field(ge=0, le=1)]] = {"supported": 0.8, "contradicted": 0.8}
    """Below these probabilities the checker abstains."""
    encoder: str = ""
    trained_on: str = ""
    seed: int = 0
    """Of the split: the same sources and seed give the same held-out reports."""

    @model_validator(mode="after")
    def _decisive_labels_have_thresholds(self) -> Self:
        if set(self.thresholds) != {"supported", "contradicted"}:
            raise ValueError("thresholds are of `supported` and `contradicted`")
        return self


def read_settings(model: str) -> CheckerSettings:
    """Return what a folder says of its checker; the defaults for an NLI model that does not know this project.

    Raises:
        ModelError: If the folder's settings are damaged.
    """
    file = Path(model) / SETTINGS_FILE
    if not file.is_file():
        return CheckerSettings()
    try:
        return CheckerSettings.model_validate_json(file.read_text("utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())[:160]
        raise ModelError(f"{file} is damaged ({problem}); train the checker again") from error


def write_settings(folder: Path, settings: CheckerSettings) -> None:
    """Write the settings beside the weights."""
    text = json.dumps(settings.model_dump(), indent=2, sort_keys=True)
    (folder / SETTINGS_FILE).write_text(text + "\n", "utf-8")


def label_order(id2label: Mapping[int, str], *, model: str) -> tuple[int, int, int]:
    """Return which output is `supported`, which `contradicted`, which `unverifiable`.

    Args:
        id2label: From the model's config.
        model: Its name, for the message.

    Raises:
        ModelError: If the labels are not one each of entailment, contradiction and neutral.
    """
    found: dict[Label, int] = {}
    for index, name in id2label.items():
        meaning = _MEANINGS.get(name.lower())
        if meaning is None or meaning in found:
            found = {}
            break
        found[meaning] = int(index)
    if set(found) != set(LABELS):
        names = ", ".join(id2label.values())
        raise ModelError(
            f"{model} has the labels {names}; a checker needs entailment, neutral and contradiction, or "
            "supported, contradicted and unverifiable: choose another model, or write them into its config.json"
        )
    supported, contradicted, unverifiable = (found[label] for label in LABELS)
    return supported, contradicted, unverifiable
