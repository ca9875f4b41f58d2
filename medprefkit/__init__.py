"""medprefkit: preference datasets for medical vision-language models.

Three functions do most of it: `correct` an answer, `corrupt_image` at its lesion, `load_pairs` of a dataset.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medprefkit.api import correct
    from medprefkit.build.features import load_pairs
    from medprefkit.corrupt.single import corrupt_image

__version__ = "0.1.0"
__all__ = ["correct", "corrupt_image", "load_pairs"]

_HOMES = {
    "correct": "medprefkit.api",
    "corrupt_image": "medprefkit.corrupt.single",
    "load_pairs": "medprefkit.build.features",
}


def __getattr__(name: str) -> Any:
    """Import a public function when it is first asked for, so that `import medprefkit` stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module 'medprefkit' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
