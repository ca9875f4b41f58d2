"""The card of a repository that may hold several configurations: metadata merged, each configuration's card kept.

The default configuration lies at the top of a repository and its card is the repository's; another one lies in a folder
of its name, card included, and the repository's card lists it.
"""

import re
from collections.abc import Mapping
from typing import Any, cast

import yaml

from medprefkit.errors import PublishError

DEFAULT_CONFIG = "default"

PLACE = "path/or/repository"
"""What a card calls its dataset until it is pushed."""

_FRONT = re.compile(r"\A---\n(.*?)\n?---\n", re.DOTALL)
_LIST = re.compile(r"<!-- configurations -->\n.*?<!-- end of configurations -->\n\n?", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_UNIONS = ("language", "task_categories", "size_categories", "tags")


def merged_card(ours: str, theirs: str | None, *, config: str, repo: str) -> str:
    """Return the repository's card once a configuration is pushed into it.

    Args:
        ours: The configuration's card, its data files relative to its own folder.
        theirs: The card that the repository has; None where it has none.
        config: The configuration.
        repo: `user/name`.

    Raises:
        PublishError: If the configuration's name cannot be a folder's, or the repository's card has broken metadata.
    """
    if not _NAME.fullmatch(config) or config == "parquet":
        raise PublishError(f"{config!r} cannot name a configuration; use letters, digits, - and _")
    front, body = _split(ours.replace(PLACE, repo), repo)
    mine = [_moved(entry, config) for entry in front.get("configs", [])]
    old_front, old_body = _split(theirs or "", repo)
    others = [entry for entry in old_front.get("configs", []) if entry.get("config_name", DEFAULT_CONFIG) != config]
    if not others:
        return _joined({**front, "configs": mine}, body)
    merged = {**old_front, **{name: _union(old_front, front, name) for name in _UNIONS if name in front}}
    if (old_front.get("license"), old_front.get("license_name")) != (front.get("license"), front.get("license_name")):
        merged |= {"license": "other", "license_name": "mixed, by configuration"}
    merged["configs"] = sorted([*mine, *others], key=_default_first)
    kept = body if config == DEFAULT_CONFIG else _LIST.sub("", old_body)
    return _joined(merged, _listing(merged["configs"], repo) + kept.lstrip("\n"))


def _listing(configs: list[dict[str, Any]], repo: str) -> str:
    lines = ["<!-- configurations -->", "| configuration | card | load |", "|---|---|---|"]
    for entry in configs:
        name = entry.get("config_name", DEFAULT_CONFIG)
        where = "below" if name == DEFAULT_CONFIG else f"[{name}/README.md]({name}/README.md)"
        option = "" if name == DEFAULT_CONFIG else f', config="{name}"'
        lines.append(f'| `{name}` | {where} | `load_pairs("{repo}"{option})` |')
    return "\n".join([*lines, "<!-- end of configurations -->", "", ""])


def _moved(entry: Mapping[str, Any], config: str) -> dict[str, Any]:
    """Name a configuration, and its files from the top of the repository."""
    prefix = "" if config == DEFAULT_CONFIG else f"{config}/"
    files = entry["data_files"]
    if isinstance(files, str):
        return {"config_name": config, "data_files": prefix + files}
    return {"config_name": config, "data_files": [{**file, "path": prefix + file["path"]} for file in files]}


def _split(card: str, repo: str) -> tuple[dict[str, Any], str]:
    found = _FRONT.match(card)
    if found is None:
        return {}, card
    try:
        front = yaml.safe_load(found.group(1))
    except yaml.YAMLError as error:
        raise PublishError(f"the card of {repo} has broken metadata; mend its README.md first") from error
    if front is not None and not isinstance(front, dict):
        raise PublishError(f"the card of {repo} has metadata that are no mapping; mend its README.md first")
    return cast("dict[str, Any]", front or {}), card[found.end() :]


def _joined(front: Mapping[str, Any], body: str) -> str:
    front_text = yaml.safe_dump(dict(front), sort_keys=False, allow_unicode=True, width=10_000)
    return "---\n" + front_text + "---\n\n" + body.lstrip("\n")


def _union(old: Mapping[str, Any], new: Mapping[str, Any], name: str) -> list[Any]:
    return list(dict.fromkeys([*_listed(old.get(name)), *_listed(new.get(name))]))


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _default_first(entry: Mapping[str, Any]) -> tuple[bool, str]:
    name = str(entry.get("config_name", DEFAULT_CONFIG))
    return name != DEFAULT_CONFIG, name
