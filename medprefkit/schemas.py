"""JSON Schemas of every record, of the recipe and of the dataset's columns: generated, checked in, tested.

`python -m medprefkit.schemas` writes them to `schemas/`; they are a public interface, so their diffs are read.
"""

import json
from pathlib import Path
from typing import Any

from medprefkit import records
from medprefkit.build.features import features
from medprefkit.recipe import Recipe
from medprefkit.resources import resource_dir


def all_schemas() -> dict[str, dict[str, Any]]:
    """Return file name -> schema; deterministic."""
    kinds = {
        name: kind
        for name, kind in vars(records).items()
        if isinstance(kind, type) and issubclass(kind, records.Record) and kind is not records.Record
    }
    schemas = {f"{name}.schema.json": kind.model_json_schema() for name, kind in sorted(kinds.items())}
    schemas["Recipe.schema.json"] = Recipe.model_json_schema()
    schemas["columns.json"] = {"schema_version": records.SCHEMA_VERSION, "columns": features().to_dict()}
    return schemas


def render(schema: dict[str, Any]) -> str:
    """Return a schema as it stands in its file."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write(folder: Path) -> None:
    """Write every schema, and remove files of schemas that are no more."""
    schemas = all_schemas()
    for stale in {path.name for path in folder.glob("*.json")} - set(schemas):
        (folder / stale).unlink()
    for name, schema in schemas.items():
        (folder / name).write_text(render(schema), "utf-8")


if __name__ == "__main__":
    write(resource_dir("schemas"))
