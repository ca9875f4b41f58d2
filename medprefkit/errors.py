"""Errors that a user can act on. Anything else that escapes is a bug and keeps its traceback."""


class MedPrefKitError(Exception):
    """One line for the user: the value, the place and the next step. The CLI prints it and exits 2."""


class RecipeError(MedPrefKitError):
    """A recipe that cannot run: an unknown key, a wrong value, a missing plug-in, options that exclude each other."""


class SourceError(MedPrefKitError):
    """A whole source that cannot be read: a missing file, a wrong header. A single bad row is a `Dropped` instead."""


class SpanError(MedPrefKitError):
    """Characters that are not where a span says they are, or two spans that overlap."""


class ImageError(MedPrefKitError):
    """An image or mask that cannot be used. Carries the reason that its record is dropped for.

    Attributes:
        reason: One of `records.DropReason`.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class RunError(MedPrefKitError):
    """A run directory that cannot be used or continued, or a run that dropped too much."""


class DatasetError(MedPrefKitError):
    """A dataset that does not honour the column contract, or is of a newer schema version."""


class PublishError(MedPrefKitError):
    """A dataset that cannot go out or come in: rights, identities in it, the token, the Hub's answer, a checksum."""


class TrainError(MedPrefKitError):
    """Training that cannot start: a model, processor or option that the trainer does not support."""


class ModelError(MedPrefKitError):
    """A model, an adapter or an endpoint that cannot be used: not there, of the wrong kind, out of reach."""
