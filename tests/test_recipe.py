"""A recipe is refused in one line that names the file, the key and what to do; a good one survives a round trip."""

import dataclasses
import importlib
import inspect
from pathlib import Path
from typing import Any, Literal, get_args

import pytest
import yaml

from medprefkit.errors import RecipeError
from medprefkit.recipe import find_recipe, read_recipe, recipe_hash, recipe_yaml, shipped_recipes
from medprefkit.recipe_sections import Columns, SourceSpec, TrainSpec
from medprefkit.sources import table
from medprefkit.train.options import TrainOptions

GOOD: dict[str, Any] = {
    "recipe_version": "1.0",
    "name": "test",
    "sources": [{"format": "phantom", "n": 4}],
    "publish": {"title": "Test"},
    "corrupt": {"use": "telea"},
}


def write(folder: Path, data: Any) -> Path:
    path = folder / "small.yaml"
    path.write_text(data if isinstance(data, str) else yaml.safe_dump(data), "utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"check": {"use": "reference", "batchsize": 3}}, "small.yaml: check.batchsize: Extra inputs"),
        ({"check": {"use": "reference", "batchsize": 3}}, "did you mean 'batch_size'?"),
        ({"shard": 3}, "did you mean 'shards'?"),
        ({"shards": "eight"}, "small.yaml: shards: Input should be a valid integer"),
        ({"max_dropped_share": 2}, "max_dropped_share"),
        ({"seed": float("nan")}, "seed"),
        ({"recipe_version": "2.0"}, "upgrade medprefkit"),
        ({"sources": []}, "sources"),
        ({"sources": [{"format": "csv"}]}, "sources.0"),
        ({"detect": {"use": "psychic"}}, "no detector named 'psychic'; installed: lexicon, ner"),
        ({"detect": {"use": "os:system"}}, "no detector named 'os:system'"),
        ({"corrupt": {"use": "telea", "with": {"radius": 3}}}, "small.yaml: corrupt.with: radius: Extra inputs"),
        ({"corrupt": {"use": "telea", "with": {"radius_px": "3"}}}, "corrupt.with: radius_px: Input should be a valid"),
        ({"name": "../outside"}, "name"),
    ],
)
def test_a_wrong_recipe_says_what_is_wrong(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read_recipe(write(tmp_path, GOOD | change))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a\n", "a recipe is a mapping"),
        ("seed: [", "not a YAML file"),
        ("seed: 1\nseed: 2\n", "'seed' stands twice (line 2)"),
        ("a: &x [1]\nb: *x\n", "aliases"),
        ("a: !!python/object/apply:os.system ['true']\n", "not a YAML file"),
        ("seed: 2020-01-01\n", "only plain values"),
    ],
)
def test_what_is_not_plain_yaml_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(RecipeError, match=r"small\.yaml") as caught:
        read_recipe(write(tmp_path, text))
    assert says in str(caught.value)


def test_overrides_reach_sections_lists_and_options(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    recipe = read_recipe(path, ["seed=7", "sources.0.n=9", "corrupt.with.radius_px=9", "train=null"])
    assert (recipe.seed, recipe.sources[0].model_dump()["n"]) == (7, 9)
    assert recipe.corrupt is not None
    assert recipe.corrupt.with_ == {"radius_px": 9}


@pytest.mark.parametrize("override", ["seed", "=1", "sources.4.n=1", "seed.deep=1", "sede=1"])
def test_a_wrong_override_is_refused(tmp_path: Path, override: str) -> None:
    with pytest.raises(RecipeError):
        read_recipe(write(tmp_path, GOOD), [override])


def test_the_resolved_recipe_reads_back_with_the_same_hash(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, GOOD))
    again = read_recipe(write(tmp_path, recipe_yaml(recipe)))
    assert recipe_hash(again) == recipe_hash(recipe)


def test_the_hash_changes_with_a_setting_and_not_with_where_the_data_lies(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    assert recipe_hash(read_recipe(path, ["seed=1"])) != recipe_hash(read_recipe(path))
    for same in ("data_root=elsewhere", "shards=3", "detect.batch_size=1", "view.pairs=1"):
        assert recipe_hash(read_recipe(path, [same])) == recipe_hash(read_recipe(path)), same


@pytest.mark.parametrize("name", list(shipped_recipes()))
def test_every_shipped_recipe_is_valid_and_every_key_is_commented(name: str) -> None:
    path = find_recipe(Path(name))
    read_recipe(path)
    lines = path.read_text("utf-8").splitlines()
    assert lines[0].startswith("# "), "the first line says what it does"


def test_an_unknown_recipe_lists_the_shipped_ones() -> None:
    with pytest.raises(RecipeError, match="quickstart"):
        find_recipe(Path("quickstrat"))


@pytest.mark.parametrize("name", ["table", "vqa_rad", "mmedpo", "iu_xray", "image_folder"])
def test_a_source_s_keys_are_its_reader_s_parameters_with_the_same_defaults(name: str) -> None:
    kinds = get_args(get_args(SourceSpec)[0])
    spec = next(kind for kind in kinds if kind.model_fields["format"].annotation == Literal[name])
    reader = getattr(importlib.import_module(f"medprefkit.sources.{name}"), f"read_{name}")
    parameters = dict(inspect.signature(reader).parameters)
    del parameters["root"]
    assert set(parameters) == set(spec.model_fields) - {"format"}
    for key, parameter in parameters.items():
        if parameter.default is not parameter.empty and key != "columns":
            assert spec.model_fields[key].default == parameter.default, key


def test_a_table_s_columns_are_the_reader_s() -> None:
    assert Columns().model_dump() == dataclasses.asdict(table.Columns())


def test_a_recipe_s_training_keys_are_the_trainer_s_options_with_the_same_defaults() -> None:
    options = {field.name: field for field in dataclasses.fields(TrainOptions)}
    for key, spec in TrainSpec.model_fields.items():
        assert key in options, key
        default = options[key].default
        if default is not dataclasses.MISSING and key != "objective":
            assert spec.default == default, key
