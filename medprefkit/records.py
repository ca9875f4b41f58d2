"""The nouns: what the stages read and write. Frozen, strict, self-proving, and nothing but data.

Each stage writes one kind of record a line, under the id of its example; a record that cannot go on becomes `Dropped`.
`Case` joins what is known of one example in memory, so that a later stage sees what the earlier ones found.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMA_VERSION = "1.0"
"""Version of the records and of the dataset's columns: a reader refuses a newer major version."""

ErrorType = Literal[
    "false_finding",
    "false_negation",
    "missing_finding",
    "wrong_laterality",
    "wrong_location",
    "wrong_severity",
    "wrong_quantity",
    "wrong_measurement",
    "wrong_descriptor",
    "wrong_diagnosis",
    "wrong_organ",
    "wrong_modality",
    "wrong_view_plane",
    "wrong_device",
    "wrong_certainty",
    "wrong_temporal",
    "self_contradiction",
    "unsupported_context",
    "wrong_knowledge",
    "recommendation",
    "meta_text",
]

Severity = Literal["significant", "insignificant"]
"""`significant`: would change what a clinician does."""

Task = Literal["report", "vqa"]

Stage = Literal["sources", "generate", "detect", "check", "edit", "corrupt", "build"]

Outcome = Literal[
    "no_error_found",
    "nothing_checkable",
    "edit_refused",
    "edit_not_verified",
    "edit_incomplete",
    "edit_not_minimal",
    "answer_repeated",
    "review_rejected",
]
"""Reasons that are a result, not a fault of the data: nothing to correct, or the tool abstains.

They do not count towards `max_dropped_share`.
"""

Fault = Literal[
    "row_invalid",
    "duplicate_id",
    "prompt_missing",
    "answer_missing",
    "answer_empty",
    "answer_truncated",
    "answer_filtered",
    "call_failed",
    "text_invalid",
    "reference_missing",
    "image_missing",
    "image_outside_root",
    "image_unreadable",
    "image_too_large",
    "mask_missing",
    "mask_unreadable",
    "mask_size_mismatch",
    "mask_empty",
    "mask_too_large",
    "no_healthy_tissue",
    "spacing_missing",
    "corruption_invisible",
]

DropReason = Outcome | Fault


@cache
def _all_fields(record: type["Record"]) -> set[str]:
    return set(record.model_fields)


class Record(BaseModel):
    """Frozen, strict, and closed: an unknown field is an error, NaN is not a number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @classmethod
    def of_known(cls, **values: Any) -> Self:
        """Return the record of values that are known to be valid: every field is given, and none is looked at.

        For the records that reading a text makes by the thousand, whose values it has just computed; several times as
        fast as validating them, and as `model_construct`. Whatever comes from outside goes through the constructor.
        """
        record = cls.__new__(cls)
        object.__setattr__(record, "__dict__", values)
        object.__setattr__(record, "__pydantic_fields_set__", _all_fields(cls))  # pydantic copies it before a change
        object.__setattr__(record, "__pydantic_extra__", None)
        object.__setattr__(record, "__pydantic_private__", None)
        return record


class Span(Record):
    """A piece of a text, half-open: `text == whole[start_char:end_char]`, in Unicode code points."""

    start_char: Annotated[int, Field(ge=0)]
    end_char: int
    text: str

    @model_validator(mode="after")
    def _length_matches(self) -> Self:
        if self.end_char - self.start_char != len(self.text):
            raise ValueError(f"span [{self.start_char}, {self.end_char}) cannot hold {self.text!r}")
        return self


class Source(Record):
    """Where an example comes from and what may be done with it."""

    name: str
    licence: str
    credentialed: bool = False
    """Under a data use agreement: never sent to a remote endpoint, never published."""
    no_derivatives: bool = False
    """Edited texts may not be shared: published as an index only."""
    no_redistribution: bool = False
    """Nothing of it may be passed on, also unchanged: published as an index only."""


Axis = Literal["sagittal", "coronal", "axial"]


class View(Record):
    """The one picture that was made of a file that could give several; the same view gives the same pixels again."""

    frame: Annotated[int, Field(ge=0)] = 0
    """Frame of a DICOM file, page of a TIFF file, slice of a NIfTI file in its own order along the axis; from 0."""
    axis: Axis = "axial"
    """What the slices of a NIfTI file stand across; says nothing of a DICOM file, which has frames."""
    window: tuple[float, float] | None = None
    """(center, width) of the values that became black to white, in the file's units (HU for CT); None for a table of
    the file's own, and for what has grey levels or colours of 8 bits already."""
    spacing_mm: tuple[float, float] | None = None
    """Distance between the centres of neighbouring (rows, columns); None where the file does not say."""


class ImageRef(Record):
    """An image file, named relative to the data root of the run."""

    path: str
    view: View | None = None
    """Of a DICOM or NIfTI file, or one of several pages; None for a file that is one picture."""


class MaskRef(Record):
    """A lesion mask, a file named relative to the data root or an annotation, and the image that it belongs to."""

    path: str
    """Empty where there is an annotation instead."""
    annotation: str = ""
    """JSON, as `annotations.mask_of_annotation` takes it: run lengths, polygons or boxes of the source's row."""
    image_index: int = 0
    classes: tuple[str, ...] = ()
    """Which classes of the mask are lesion: numbers, colours, segments or categories; all where empty."""
    label: str = ""
    """What the mask shows, in the source's words ("ground glass"); empty where the source does not say."""
    place_px: tuple[int, int] | None = None
    """(left, top) of a mask that was cropped out of the image's frame, pixels; None for one of the image's size."""

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if bool(self.path) == bool(self.annotation):
            raise ValueError("a mask is a path or an annotation, one of the two")
        return self


class Example(Record):
    """One question about zero or more images, with what is known to be true."""

    id: str
    group_id: str
    """Patient or study: never on both sides of a split."""
    task: Task
    prompt: str
    reference: str
    """The ground truth: a report, a short answer, clinical notes."""
    images: tuple[ImageRef, ...] = ()
    lesion_masks: tuple[MaskRef, ...] = ()
    answer: str | None = None
    """A model's own answer, where the source already holds one."""
    answer_model: str = ""
    modality: str = ""
    source: Source


class Sampling(Record):
    """How an answer was sampled; `temperature` 0 is greedy."""

    temperature: float = 0.0
    top_p: float = 1.0
    max_new_tokens: int = 0
    seed: int = 0
    stop: tuple[str, ...] = ()
    """Strings that end an answer; they are no part of it."""


class Answer(Record):
    """A model's own words, byte for byte: they become `rejected`."""

    id: str
    text: str
    model: str
    revision: str = ""
    sampling: Sampling | None = None
    finish_reason: str = ""
    """Why the model stopped, in its own word; empty where the answer was given."""


AttributeKind = Literal["laterality", "location", "severity", "quantity", "measurement", "descriptor", "temporal"]

ATTRIBUTE_ERROR: Mapping[AttributeKind, ErrorType] = MappingProxyType(
    {
        "laterality": "wrong_laterality",
        "location": "wrong_location",
        "severity": "wrong_severity",
        "quantity": "wrong_quantity",
        "measurement": "wrong_measurement",
        "descriptor": "wrong_descriptor",
        "temporal": "wrong_temporal",
    }
)
"""The error that a wrong attribute of each kind is."""


class Attribute(Record):
    """A word or phrase that qualifies a claim: `value` is canonical ("left"), `span` the words ("left-sided")."""

    kind: AttributeKind
    value: str
    span: Span


ClaimKind = Literal[
    "finding",
    "normality",
    "device",
    "organ",
    "modality",
    "view_plane",
    "quantity",
    "measurement",
    "descriptor",
    "location",
    "context",
    "comparison",
    "knowledge",
    "recommendation",
    "meta_text",
    "other",
]

ClaimRole = Literal["statement", "yes_no", "slot_answer", "definition"]
"""`yes_no`: the first word of an answer to a yes/no question; `slot_answer`: the answer to a wh-question;
`definition`: a gloss ("effusion, which is fluid in ...") that says nothing of this patient."""


class Claim(Record):
    """Something that a text says of the image, and the characters that say so. All spans index that text."""

    claim_id: str
    """Unique within its text; `c0`, `c1` ... in order of appearance."""
    concept: str
    """The lexicon's id ("pleural_effusion"), or for an open slot the normalized words of the text."""
    kind: ClaimKind
    span: Span
    """The words that name the concept ("pleural effusion"), or the yes/no word."""
    phrase: Span
    """The noun or predicate phrase that an existence flip replaces: determiner, modifiers, name and trailing attributes
    ("a large left-sided pleural effusion"). Contains `span`."""
    sentence: Span
    polarity: Literal["affirmed", "denied"] = "affirmed"
    certainty: Literal["certain", "uncertain", "hypothetical"] = "certain"
    experiencer: Literal["patient", "other"] = "patient"
    current: bool = True
    """False for history and for findings that only a prior study showed."""
    cue: Span | None = None
    """The words that deny it or make it uncertain ("no", "is not seen", "possible"); None when plainly affirmed."""
    attributes: tuple[Attribute, ...] = ()
    anatomy: tuple[str, ...] = ()
    """Lexicon ids of the structures that it is said of."""
    list_id: int | None = None
    """Claims of one coordinated list ("A, B or C") share a number."""
    role: ClaimRole = "statement"
    refers_to: str | None = None
    """`claim_id` of an earlier claim that this one speaks of again ("this mass")."""

    @model_validator(mode="after")
    def _phrase_holds_span(self) -> Self:
        if not (self.phrase.start_char <= self.span.start_char and self.span.end_char <= self.phrase.end_char):
            raise ValueError(f"claim {self.claim_id}: phrase {self.phrase.text!r} does not hold {self.span.text!r}")
        return self


class Passage(Record):
    """A text to find claims in: an answer, a reference or an edited answer, with the prompt that it answers."""

    id: str
    prompt: str
    text: str


class Claims(Record):
    """What one answer says, and what its reference says, each with spans into its own text."""

    id: str
    answer: tuple[Claim, ...]
    reference: tuple[Claim, ...]


class Verdict(Record):
    """What a checker says of one claim. `unverifiable` never becomes an edit."""

    claim_id: str
    label: Literal["supported", "contradicted", "unverifiable"]
    checker: str
    rule: str
    """Which rule or model output decided, in one word a reader can look up."""
    score: Annotated[float, Field(ge=0.0, le=1.0)]
    """Confidence in the label."""
    evidence: str = ""
    """Quoted from the reference; empty where nothing speaks to the claim."""
    error_type: ErrorType | None = None
    severity: Severity = "significant"
    target: Span | None = None
    """The wrong characters of the answer: the attribute's word, or the claim's phrase for an existence error."""
    truth: str = ""
    """What should stand there, in words ("right", "axial", "no"); empty to delete."""
    grounding: float | None = None
    """How much of the model's yes goes with the lesion: its log-odds on the clean image less those on the corrupted,
    nats; None where there is no such pair of answers."""

    @model_validator(mode="after")
    def _contradicted_says_what(self) -> Self:
        if (self.label == "contradicted") != (self.error_type is not None and self.target is not None):
            raise ValueError(f"verdict on {self.claim_id}: an error type and a target go with `contradicted`, only")
        return self


class Verdicts(Record):
    """Every claim of one answer with what every checker says of it."""

    id: str
    verdicts: tuple[Verdict, ...]


class Edit(Record):
    """Replace `span` of the answer by `replacement`; phrase k of `rejected` becomes phrase k of `chosen`."""

    phrase_id: Annotated[int, Field(ge=1)]
    span: Span
    """What changes, in the answer; grammar may need more than the wrong words."""
    claim_span: Span
    """What is wrong, in the answer: the characters that detection is measured on."""
    replacement: str
    error_type: ErrorType
    severity: Severity = "significant"
    weight: Annotated[float, Field(ge=0.0)] = 1.0
    claim_ids: tuple[str, ...] = ()
    lesion_linked: bool = False
    """The claim is about what the lesion mask covers: its evidence goes when the lesion is removed."""
    grown: bool = False
    """The span took in a neighbouring word so that neither side is empty."""


class Edits(Record):
    """The edits of one answer and the text that they make; `chosen == apply_edits(answer, edits).text`."""

    id: str
    edits: tuple[Edit, ...]
    chosen: str


class Region(Record):
    """A box in pixels, half-open, of the clean image."""

    left_px: int
    top_px: int
    right_px: int
    bottom_px: int


class CorruptedImage(Record):
    """An example's images with the lesion removed, the matching controls, and clean copies in the same codec.

    Paths are relative to the run directory. All files are PNG of one mode, written alike, so that the codec does not
    tell clean from corrupted; an image without a mask is its own corrupted image and its own control.
    """

    id: str
    clean: tuple[ImageRef, ...] = ()
    corrupted: tuple[ImageRef, ...]
    control: tuple[ImageRef, ...] = ()
    """As many as `corrupted`, or none."""
    no_control: str = ""
    """Why there is no control although one was asked for; else empty."""
    name: str
    options: str
    """The corruption's options, as canonical JSON."""
    seed: int
    lesion_share: float
    """Lesion pixels over image pixels."""
    changed_share: float
    """Changed pixels over image pixels."""
    region: Region
    """Around everything that may have changed, in the first image that has a mask."""


class Dropped(Record):
    """A record that cannot go on, and why: one line a user can act on."""

    id: str
    stage: Stage
    reason: DropReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """Everything known of one example so far; a field is None until its stage has run."""

    example: Example
    answer: Answer | None = None
    claims: Claims | None = None
    verdicts: Verdicts | None = None
    edits: Edits | None = None
    corrupted: CorruptedImage | None = None


class PhraseSpan(Record):
    """One edited phrase in the last assistant message of `chosen` or `rejected`; offsets half-open, in code points."""

    start_char: Annotated[int, Field(ge=0)]
    end_char: int
    phrase_id: Annotated[int, Field(ge=1)]
    error_type: ErrorType
    severity: Severity
    weight: Annotated[float, Field(ge=0.0)]
    lesion_linked: bool


class Provenance(Record):
    """Where a pair comes from: enough to find it again and to know what may be done with it."""

    source: str
    licence: str
    credentialed: bool
    no_derivatives: bool
    no_redistribution: bool = False
    modality: str = ""
    model: str
    revision: str
    sampling: str
    """Canonical JSON, empty where the answer was given rather than sampled."""
    prompts: str = ""
    """Canonical JSON of the prompts that models judged and edited by: name -> digest; empty where none was used."""
    views: str = ""
    """Canonical JSON, one entry an image: frame, window and spacing of what was made of a DICOM or NIfTI file, null for
    other files; empty where there is none."""
    recipe_hash: str
    package_version: str


class PreferencePair(Record):
    """One row of the dataset before its images are embedded. Texts: `build.features` makes the columns of them."""

    id: str
    group_id: str
    prompt: str
    chosen: str
    rejected: str
    chosen_spans: tuple[PhraseSpan, ...]
    rejected_spans: tuple[PhraseSpan, ...]
    images: tuple[ImageRef, ...]
    corrupted: CorruptedImage | None
    weight: Annotated[float, Field(ge=0.0)] = 1.0
    verdicts: tuple[Verdict, ...]
    provenance: Provenance
