"""A run as data: one YAML file, every key known, every option checked before anything costly runs.

A recipe may come from a stranger, so it names plug-ins by their registered names only and is parsed as plain data.
"""

import difflib
import hashlib
import inspect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self, cast, get_type_hints

import yaml
from pydantic import BaseModel, Field, ValidationError, create_model, model_validator

from medprefkit.errors import RecipeError
from medprefkit.models.privacy import host_of, is_local
from medprefkit.recipe_sections import (
    BuildSpec,
    CheckSpec,
    CorruptSpec,
    DetectSpec,
    EditSpec,
    GenerateSpec,
    ImageFolderSource,
    PluginSpec,
    PublishSpec,
    Section,
    SourceSpec,
    TableSource,
    TrainSpec,
    ViewSpec,
)
from medprefkit.registry import Kind, load
from medprefkit.resources import resource_dir

RECIPE_VERSION = "1.0"

_LOCAL_KEYS = {"data_root", "calls", "policy"}  # where a machine keeps what: part of no result, so of no hash
_EFFORT_KEYS = {"shards", "batch_size", "view"}  # how the work is cut, and how much of it the page shows


class Recipe(Section):
    """One run, from sources to an adapter."""

    recipe_version: str
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    seed: int = 0
    shards: Annotated[int, Field(ge=1, le=100_000)] = 8
    data_root: str = "."
    rounds: Annotated[int, Field(ge=1, le=100)] | None = None
    calls: str | None = None
    policy: str | None = None
    max_dropped_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    sources: Annotated[list[SourceSpec], Field(min_length=1)]
    generate: GenerateSpec = GenerateSpec()
    detect: DetectSpec = DetectSpec()
    check: CheckSpec = CheckSpec()
    edit: EditSpec = EditSpec()
    corrupt: CorruptSpec | None = None
    build: BuildSpec = BuildSpec()
    publish: PublishSpec
    train: TrainSpec | None = None
    view: ViewSpec = ViewSpec()

    @model_validator(mode="after")
    def _version_is_ours(self) -> Self:
        major = self.recipe_version.split(".", 1)[0]
        if major != RECIPE_VERSION.split(".", 1)[0]:
            raise ValueError(f"recipe_version {self.recipe_version!r} is not {RECIPE_VERSION}; upgrade medprefkit")
        return self

    @model_validator(mode="after")
    def _samples_can_differ(self) -> Self:
        if self.generate.samples == 1:
            return self
        if self.generate.use == "scripted":
            raise ValueError("generate.samples above 1 need a generator that asks a model; scripted has one answer")
        if self.generate.use in {"transformers", "openai"} and not self.generate.with_.get("temperature"):
            raise ValueError("generate.samples above 1 need a generate.with.temperature above 0; else all are the same")
        return self

    @model_validator(mode="after")
    def _policy_answers(self) -> Self:
        if self.policy is not None and self.generate.use in {"scripted", "openai"}:
            raise ValueError(
                f"policy needs generate.use transformers: {self.generate.use} cannot answer with an adapter"
            )
        return self

    @model_validator(mode="after")
    def _rounds_have_a_policy(self) -> Self:
        if self.rounds is None:
            return self
        if self.train is None or self.train.tune != "lora":
            raise ValueError("rounds need a train section that makes an adapter: each round's answers come from it")
        if self.generate.use != "transformers":
            raise ValueError("rounds need generate.use transformers: only it can answer with the adapter of a round")
        return self

    @model_validator(mode="after")
    def _phantoms_stand_alone(self) -> Self:
        formats = [source.format for source in self.sources]
        if "phantom" in formats and len(formats) > 1:
            raise ValueError(
                "a phantom source stands alone: its images are drawn into the run, not read from data_root"
            )
        return self


def read_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply `key.path=value` overrides; values are YAML ("0.5", "[1, 2]", "null").

    Raises:
        RecipeError: One line naming the file, the key and what is wrong with it.
    """
    try:
        data = yaml.load(path.read_text("utf-8"), Loader=_UniqueKeyLoader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path.name}: not a YAML file: {' '.join(str(error).split())}") from error
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}; `medprefkit recipes list` shows ours") from error
    if not isinstance(data, dict):
        raise RecipeError(f"{path.name}: a recipe is a mapping of keys, not {type(data).__name__}")
    for override in overrides:
        _set(data, override)
    return parse_recipe(data, where=path.name)


def parse_recipe(data: Mapping[str, Any], *, where: str) -> Recipe:
    """Check plain data against the recipe's keys and every plug-in's options.

    Raises:
        RecipeError: As `read_recipe`; `where` names the file in it.
    """
    try:
        recipe = Recipe.model_validate_json(json.dumps(data))
    except (TypeError, ValueError) as error:
        if isinstance(error, ValidationError):
            raise RecipeError(f"{where}: {_one_line(error, Recipe)}") from error
        raise RecipeError(f"{where}: only plain values can stand in a recipe: {error}") from error
    _refuse_leaks(recipe, where)
    for kind, key, plugin in plugins(recipe):
        plugin_options(kind, plugin, where=f"{where}: {key}.with")
    return recipe


def _refuse_leaks(recipe: Recipe, where: str) -> None:
    """Refuse a recipe that would send a credentialed source to an endpoint that is not this machine."""
    may_be = [source for source in recipe.sources if isinstance(source, TableSource | ImageFolderSource)]
    bound = [source.name for source in may_be if source.credentialed]
    for _, key, plugin in plugins(recipe):
        place = plugin.with_.get("base_url")
        if bound and isinstance(place, str) and not is_local(place):
            raise RecipeError(
                f"{where}: {key}.with.base_url: the source {bound[0]!r} is credentialed, and {host_of(place)} is not "
                "this machine; use a model in this process or a loopback address"
            )


def plugins(recipe: Recipe) -> list[tuple[Kind, str, PluginSpec]]:
    """Return (kind, recipe key, spec) of every plug-in that the recipe uses."""
    found: list[tuple[Kind, str, PluginSpec]] = [
        ("generators", "generate", recipe.generate),
        ("detectors", "detect", recipe.detect),
        ("checkers", "check", recipe.check),
        ("editors", "edit", recipe.edit),
    ]
    found += [("checkers", f"check.with.members.{k}", member) for k, member in enumerate(_members(recipe.check))]
    return found + ([("corruptions", "corrupt", recipe.corrupt)] if recipe.corrupt else [])


def _members(check: CheckSpec) -> list[PluginSpec]:
    """Return the checkers that a checker made of others names; what is not written as one is its own to refuse."""
    written = [m for m in check.with_.get("members", ()) if isinstance(m, dict) and isinstance(m.get("use"), str)]
    return [PluginSpec(use=member["use"], with_=member.get("with", {})) for member in written]


def plugin_options(kind: Kind, plugin: PluginSpec, *, where: str) -> dict[str, Any]:
    """Return `plugin.with_` as the class's own typed keyword arguments.

    Raises:
        RecipeError: For a name that is not installed, an option that the class does not have, or a wrong value.
    """
    factory = load(kind, plugin.use)
    init = factory.__init__ if inspect.isclass(factory) else factory
    hints = get_type_hints(init, include_extras=True)
    fields: dict[str, Any] = {
        name: (hints[name], ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(factory).parameters.items()
    }
    model = cast("type[BaseModel]", create_model(plugin.use, __config__=Section.model_config, **fields))
    try:
        checked = model.model_validate_json(json.dumps(plugin.with_))
    except ValidationError as error:
        raise RecipeError(f"{where}: {_one_line(error, model)}") from error
    return {name: getattr(checked, name) for name in checked.model_fields_set}


def resolved(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe with every default filled in, as plain data without the keys that only this machine knows."""
    data = recipe.model_dump(mode="json", by_alias=True)
    return {key: value for key, value in data.items() if key not in _LOCAL_KEYS}


def recipe_hash(recipe: Recipe) -> str:
    """Return 16 hex digits that change with every setting that can change a row of the dataset or the adapter."""
    return hashlib.sha256(json.dumps(_that_matters(resolved(recipe)), sort_keys=True).encode()).hexdigest()[:16]


def recipe_yaml(recipe: Recipe) -> str:
    """Return the resolved recipe as YAML that `read_recipe` reads back."""
    return yaml.safe_dump(resolved(recipe), sort_keys=False, allow_unicode=True, width=120)


def shipped_recipes() -> dict[str, Path]:
    """Return name -> file of the recipes that come with the package, sorted by name."""
    folder = resource_dir("recipes")
    found = {path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.rglob("*.yaml")}
    return dict(sorted((name, path) for name, path in found.items() if not name.startswith("accelerate/")))


def find_recipe(path: Path) -> Path:
    """Return the file itself, or the shipped recipe of that name.

    Raises:
        RecipeError: If there is neither; lists the shipped ones.
    """
    if path.is_file():
        return path
    shipped = shipped_recipes()
    if (name := path.as_posix()) in shipped:
        return shipped[name]
    raise RecipeError(f"no recipe {name}: no such file, and the shipped ones are {', '.join(shipped)}")


def _that_matters(data: dict[str, Any]) -> dict[str, Any]:
    def kept(key: str, value: Any) -> Any:
        # the trainer's batch size is a setting of the optimizer, not of the work
        if isinstance(value, dict) and key != "train":
            return {k: kept(k, v) for k, v in value.items() if k not in _EFFORT_KEYS}
        return value

    return cast("dict[str, Any]", kept("", data))


def _set(data: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise RecipeError(f"--set {override}: write key=value, for instance --set corrupt.use=telea")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {override}: the value is not YAML") from error
    *parents, last = key.split(".")
    node: Any = data
    for parent in parents:
        node = node[_index(node, parent, override)] if isinstance(node, list) else node.setdefault(parent, {})
        if not isinstance(node, dict | list):
            raise RecipeError(f"--set {override}: {parent!r} is not a section of the recipe")
    if isinstance(node, list):
        node[_index(node, last, override)] = value
    else:
        node[last] = value


def _index(node: list[Any], text: str, override: str) -> int:
    if not text.isdigit() or int(text) >= len(node):
        raise RecipeError(f"--set {override}: {text!r} is not a position in a list of {len(node)}; the first is 0")
    return int(text)


def _one_line(error: ValidationError, model: type[BaseModel]) -> str:
    first, *rest = error.errors(include_url=False)
    where = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(first["loc"][-1]), _known_keys(model), n=1)
        message += f"; did you mean {close[0]!r}?" if close else ""
    more = f" (and {len(rest)} more)" if rest else ""
    return f"{where}: {message}{more}" if where else f"{message}{more}"


def _known_keys(model: type[BaseModel]) -> list[str]:
    specs: list[type[BaseModel]] = [model, *Section.__subclasses__(), CorruptSpec] if model is Recipe else [model]
    return [field.alias or name for spec in specs for name, field in spec.model_fields.items()]


class _UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice, where YAML keeps the last, and aliases, which can explode."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Build one node.

        Raises:
            yaml.YAMLError: If it is an alias; names its line.
        """
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) cannot stand in a recipe; write the value out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build one mapping.

        Raises:
            yaml.YAMLError: If a key stands twice; names it and its line.
        """
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for position, key in enumerate(keys):
            if key in keys[:position]:
                line = node.value[position][0].start_mark.line + 1
                raise yaml.YAMLError(f"the key {key!r} stands twice (line {line})")
        return cast("dict[Any, Any]", super().construct_mapping(node, deep))
