"""Where `recipes`, `schemas` and `data_cards` are: beside the package in a checkout, inside it in a wheel."""

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).parent


def resource_dir(name: Literal["recipes", "schemas", "data_cards"]) -> Path:
    """Return the folder of the files that are shipped under `name`.

    Raises:
        FileNotFoundError: If the installation is incomplete.
    """
    for folder in (_PACKAGE / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"medprefkit was installed without its {name} folder; install it again")
