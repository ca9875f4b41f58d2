"""The sections that a recipe may have, key by key, with their defaults. What they mean together is `recipe.py`'s."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from medprefkit.records import Axis, Task


class Section(BaseModel):
    """A part of a recipe: every key known, nothing converted on the quiet."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, populate_by_name=True)


class Columns(Section):
    """Which column of a table holds what; null where it has none."""

    id: str | None = None
    group: str | None = None
    prompt: str | None = "prompt"
    image: str | None = "image"
    lesion_mask: str | None = None
    lesion_rle: str | None = None
    frame: str | None = None
    reference: str | None = "reference"
    answer: str | None = "answer"
    modality: str | None = None
    task: str | None = None


Frame = Annotated[int, Field(ge=0)] | Literal["middle", "lesion"]
Window = tuple[float, Annotated[float, Field(gt=0)]]


class MaskTable(Section):
    """A table of lesion masks: where cropped ones lie, or run lengths or boxes instead of files."""

    path: str
    image: str = "image"
    mask: str | None = None
    left: str | None = None
    top: str | None = None
    rle: str | None = None
    rle_gaps: str | None = None
    box: tuple[str, ...] = ()
    corners: tuple[str, ...] = ()
    label: str | None = None
    lesion_labels: tuple[str, ...] = ()


class TableSource(Section):
    """A JSONL, JSON, CSV or Parquet table, one question a row."""

    format: Literal["table"]
    path: str
    name: str
    licence: str
    columns: Columns = Columns()
    prompt: str | None = None
    task: Task = "report"
    answer_model: str = ""
    modality: str = ""
    mask_classes: dict[str, str] | None = None
    frame: Frame | None = None
    axis: Axis = "axial"
    window: Window | None = None
    credentialed: bool = False
    no_derivatives: bool = False
    no_redistribution: bool = False


class VqaRadSource(Section):
    """VQA-RAD's own `questions.json` with its image folder; answers come from `generate`."""

    format: Literal["vqa_rad"]
    path: str
    images: str


class MmedpoSource(Section):
    """Pairs in MMedPO's format: the rejected text is the model's answer, the chosen text the reference."""

    format: Literal["mmedpo"]
    path: str
    subset: Literal["iuxray", "slake", "vqa_rad"]
    images: str | None = None
    answer_model: str = "llava-med"


class IuXraySource(Section):
    """Indiana University chest X-ray reports as references, with given answers joined by study."""

    format: Literal["iu_xray"]
    path: str
    projections: str | None = None
    images: str | None = None
    answers: str | None = None
    answer_model: str = ""
    prompt: str = "Describe the chest X-ray."


class ImageFolderSource(Section):
    """A folder of images and a folder of masks of the same stem, with texts from a table keyed by file name."""

    format: Literal["image_folder"]
    images: str
    references: str
    reference_column: str
    name: str
    licence: str
    prompt: str
    masks: str | None = None
    mask_suffix: str = ""
    mask_classes: dict[str, str] | None = None
    mask_table: MaskTable | None = None
    file_column: str = "filename"
    group_column: str | None = None
    licence_column: str | None = None
    answers: str | None = None
    answer_model: str = ""
    task: Task = "report"
    modality: str = ""
    frame: Frame | None = None
    axis: Axis = "axial"
    window: Window | None = None
    credentialed: bool = False
    no_derivatives: bool = False
    no_redistribution: bool = False


class PhantomSource(Section):
    """Chest phantoms drawn on the spot: nothing is downloaded, the truth is exact, nobody's patient is in it."""

    format: Literal["phantom"]
    n: Annotated[int, Field(ge=1)] = 48


SourceSpec = Annotated[
    TableSource | VqaRadSource | MmedpoSource | IuXraySource | ImageFolderSource | PhantomSource,
    Field(discriminator="format"),
]


class PluginSpec(Section):
    """A registered class, its options and how many records it takes a call."""

    use: str
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    batch_size: Annotated[int, Field(ge=1)] = 64


class GenerateSpec(PluginSpec):
    """Where the answers come from, and how many an example gets."""

    use: str = "scripted"
    samples: Annotated[int, Field(ge=1)] = 1


class DetectSpec(PluginSpec):
    """How claims are found."""

    use: str = "lexicon"


class CheckSpec(PluginSpec):
    """How claims are judged."""

    use: str = "reference"


class EditSpec(PluginSpec):
    """How wrong claims are put right."""

    use: str = "minimal"


class BoxModelSpec(Section):
    """A SAM-type model that makes lesion masks of boxes."""

    model: str
    device: str | None = None
    batch_size: Annotated[int, Field(ge=1)] = 4


class CorruptSpec(PluginSpec):
    """How lesions are removed, and within which limits."""

    batch_size: Annotated[int, Field(ge=1)] = 4
    control: bool = True
    max_lesion_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    boxes: Literal["ellipse", "grabcut"] | BoxModelSpec = "ellipse"
    lesions: Literal["all", "claimed"] = "all"


class BuildSpec(Section):
    """How pairs become a dataset."""

    eval_share: Annotated[float, Field(ge=0, lt=1)] = 0.1
    max_edited_share: Annotated[float, Field(gt=0, le=1)] = 0.7
    grow_empty_spans: bool = True


class PublishSpec(Section):
    """What the card says beyond what is counted."""

    title: str
    language: str = "en"


class TrainSpec(Section):
    """What is trained on the dataset, and how; `objective` overrides single settings of the preset."""

    model: str
    preset: str = "medpref"
    objective: dict[str, Any] = Field(default_factory=dict)
    max_steps: Annotated[int, Field(ge=1)] | None = None
    epochs: Annotated[float, Field(gt=0)] = 1.0
    learning_rate: Annotated[float, Field(gt=0)] = 5e-6
    batch_size: Annotated[int, Field(ge=1)] = 4
    gradient_accumulation: Annotated[int, Field(ge=1)] = 8
    lora_r: Annotated[int, Field(ge=1)] = 128
    lora_alpha: Annotated[int, Field(ge=1)] = 256
    precision: Literal["fp32", "bf16", "fp16"] = "bf16"
    gradient_checkpointing: bool = False
    tune: Literal["lora", "full"] = "lora"
    quantization: Literal["none", "8bit", "4bit"] = "none"
    max_answer_tokens: Annotated[int, Field(ge=1)] | None = None
    group_by_length: bool = False
    save_steps: Annotated[int, Field(ge=1)] = 100
    eval_steps: Annotated[int, Field(ge=1)] | None = None
    report_to: tuple[str, ...] = ()


class ViewSpec(Section):
    """How much of the dataset the page shows."""

    pairs: Annotated[int, Field(ge=1)] = 60
