"""The checked-in schemas are those of the code, and valid."""

import json

from jsonschema import Draft202012Validator

from medprefkit.records import Span
from medprefkit.resources import resource_dir
from medprefkit.schemas import all_schemas, render


def test_checked_in_schemas_are_the_code_s() -> None:
    folder = resource_dir("schemas")
    written = {path.name: path.read_text("utf-8") for path in folder.glob("*.json")}
    current = {name: render(schema) for name, schema in all_schemas().items()}
    assert written == current, "run `make schemas` and note the change in CHANGELOG.md"


def test_every_schema_is_one_and_refuses_unknown_keys() -> None:
    for name, schema in all_schemas().items():
        if name.endswith(".schema.json"):
            Draft202012Validator.check_schema(schema)
            assert schema["additionalProperties"] is False, name


def test_a_record_satisfies_its_schema() -> None:
    span = Span(start_char=2, end_char=4, text="no")
    Draft202012Validator(all_schemas()["Span.schema.json"]).validate(json.loads(span.model_dump_json()))
