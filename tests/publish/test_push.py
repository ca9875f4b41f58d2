"""To the Hub and back: one commit or none, nothing sent twice, every checksum right, whatever breaks on the way."""

import atexit
import functools
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest
from hub_server import TOKEN, Fault, FaultKind, HubServer
from made_pairs import corrupt, draw, make

from medprefkit.build.write import write_dataset
from medprefkit.errors import DatasetError, PublishError
from medprefkit.publish import hub as hub_module
from medprefkit.publish.card import render_card
from medprefkit.publish.facts import gather_facts
from medprefkit.publish.hub import Visibility, pull_folder, push_folder
from medprefkit.publish.manifest import MANIFEST, read_manifest, write_manifest

REPO = "somebody/pairs"

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # huggingface_hub's own upload


@pytest.fixture(autouse=True)
def this_process_is_a_client(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faster than a process of its own for each push; `test_hub_loading` and the command's test have real ones."""
    for name, value in (("HF_HUB_OFFLINE", False), ("HF_HUB_DISABLE_XET", True), ("ENDPOINT", hub.url)):
        monkeypatch.setattr(huggingface_hub.constants, name, value)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", _no_sleep)
    monkeypatch.setattr(hub_module.time, "sleep", _no_sleep)


def _no_sleep(_: float) -> None:
    pass


def shared(tmp_path: Path, name: str = "shared", *, n: int = 5, shade: int = 0, title: str = "Pairs") -> Path:
    """Write what is shared of `n` pairs with pictures."""
    return Path(shutil.copytree(_made(n, shade, title), tmp_path / name))


@functools.cache
def _made(n: int, shade: int, title: str) -> Path:
    tmp_path, name = Path(tempfile.mkdtemp(prefix="medprefkit-test-")), "shared"
    atexit.register(shutil.rmtree, tmp_path, ignore_errors=True)
    pairs = [
        make(
            f"r{number}",
            images=[draw(tmp_path / f"{name}-data/i{number}.png", shade + number)],
            corrupted=corrupt(tmp_path / "run", f"r{number}") if number % 2 else None,
        )
        for number in range(n)
    ]
    folder = tmp_path / name
    (folder / "build").mkdir(parents=True)
    write_dataset(
        pairs,
        folder / "build",
        data_root=tmp_path / f"{name}-data",
        run_dir=tmp_path / "run",
        run_seed=0,
        eval_share=0.3,
    )
    (folder / "build/parquet").rename(folder / "parquet")
    for path in sorted((folder / "build").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (folder / "build").rmdir()
    facts = gather_facts([("train", pair) for pair in pairs], {}, title=title, language="en")
    (folder / "README.md").write_text(render_card(facts), "utf-8")
    (folder / "recipe.yaml").write_text("name: made\n", "utf-8")
    write_manifest(folder, form="rows", package_version="0.1.0", recipe_hash="0123abcd")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".cache" not in path.parts and path.name != "README.md"
    }


def test_what_is_pushed_is_pulled_and_a_second_push_sends_nothing(tmp_path: Path, hub: HubServer) -> None:
    folder = shared(tmp_path)
    first = push_folder(folder, REPO, visibility=None)
    assert hub.repos[REPO].private
    assert len(hub.repos[REPO].commits) == 2  # the empty one, and one for everything
    assert {"README.md", "recipe.yaml", MANIFEST, "parquet/train-00000-of-00001.parquet"} <= set(hub.repos[REPO].files)
    assert f'load_pairs("{REPO}")'.encode() in hub.content(REPO, "README.md")
    n_uploads, n_commits = len(hub.uploads), len(hub.repos[REPO].commits)
    again = push_folder(folder, REPO, visibility=None)
    assert (again.n_sent, again.n_bytes_sent, again.commit) == (0, 0, first.commit)
    assert (len(hub.uploads), len(hub.repos[REPO].commits)) == (n_uploads, n_commits)
    pull_folder(REPO, tmp_path / "pulled")
    assert contents(tmp_path / "pulled") == contents(folder)


@pytest.mark.parametrize(
    ("method", "path", "kind", "times"),
    [
        ("PUT", "/lfs/", "drop", 1),
        pytest.param("PUT", "/lfs/", "429", 2, marks=pytest.mark.slow),
        ("PUT", "/lfs/", "500", 2),
        ("PUT", "/lfs/", "corrupt", 1),
        pytest.param("POST", "/lfs-verify", "500", 1, marks=pytest.mark.slow),
        pytest.param("POST", "/info/lfs/objects/batch", "429", 1, marks=pytest.mark.slow),
        pytest.param("POST", "/preupload/", "500", 1, marks=pytest.mark.slow),
        pytest.param("POST", "/repos/create", "500", 1, marks=pytest.mark.slow),
        pytest.param("GET", "/tree/", "429", 1, marks=pytest.mark.slow),
        pytest.param("POST", "/commit/", "drop", 1, marks=pytest.mark.slow),
        ("POST", "/commit/", "lose_answer", 1),
        ("POST", "/commit/", "500", 1),
        pytest.param("POST", "/validate-yaml", "500", 1, marks=pytest.mark.slow),
    ],
)
def test_a_stumble_is_got_over(
    tmp_path: Path, hub: HubServer, method: str, path: str, kind: FaultKind, times: int
) -> None:
    folder = shared(tmp_path)
    hub.faults.append(Fault(method, path, kind, times))
    pushed = push_folder(folder, REPO, visibility=None)
    assert hub.faults[0].times == 0, "the fault did not happen"
    assert len(hub.repos[REPO].commits) == 2
    assert hub.repos[REPO].head == pushed.commit
    pull_folder(REPO, tmp_path / "pulled")
    assert contents(tmp_path / "pulled") == contents(folder)


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [("PUT", "/lfs/", "drop"), ("PUT", "/lfs/", "corrupt"), ("POST", "/commit/", "500"), ("POST", "/commit/", "drop")],
)
def test_what_stays_broken_shows_nothing_and_a_repeat_finishes_it(
    tmp_path: Path, hub: HubServer, method: str, path: str, kind: FaultKind
) -> None:
    folder = shared(tmp_path)
    hub.faults.append(Fault(method, path, kind, 1_000))
    with pytest.raises(PublishError, match="nothing of this push is visible") as caught:
        push_folder(folder, REPO, visibility=None)
    assert "\n" not in str(caught.value)
    assert hub.repos[REPO].files == {}
    hub.faults.clear()
    n_before = len(hub.uploads)
    push_folder(folder, REPO, visibility=None)
    assert len(set(hub.uploads)) == len(hub.uploads), "a file was sent twice"
    assert len(hub.uploads) == 2
    if "commit" in path:
        assert n_before == len(hub.uploads)
    pull_folder(REPO, tmp_path / "pulled")
    assert contents(tmp_path / "pulled") == contents(folder)


def test_a_commit_in_between_is_not_overwritten(
    tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = hub_module._uploaded

    def somebody_else_is_faster(*arguments: object) -> Iterator[object]:
        yield from upload(*arguments)  # type: ignore[arg-type]  # passed on as they came
        hub.put_files(REPO, {"theirs.txt": b"theirs"})

    monkeypatch.setattr(hub_module, "_uploaded", somebody_else_is_faster)
    with pytest.raises(PublishError, match="got another commit meanwhile"):
        push_folder(shared(tmp_path), REPO, visibility=None)
    assert set(hub.repos[REPO].files) == {"theirs.txt"}


def test_new_rows_replace_old_ones_and_what_others_put_there_stays(tmp_path: Path, hub: HubServer) -> None:
    old = shared(tmp_path, "old")
    (old / "parquet/train-00000-of-00001.parquet").rename(old / "parquet/train-00000-of-00002.parquet")
    write_manifest(old, form="rows", package_version="0.1.0", recipe_hash="0123abcd")
    push_folder(old, REPO, visibility=None)
    hub.put_files(REPO, {"notes/theirs.parquet": b"theirs"})
    new = shared(tmp_path, "new", n=6, shade=40)
    push_folder(new, REPO, visibility=None)
    files = set(hub.repos[REPO].files)
    assert "parquet/train-00000-of-00002.parquet" not in files
    assert {"parquet/train-00000-of-00001.parquet", "notes/theirs.parquet"} <= files
    pull_folder(REPO, tmp_path / "pulled")
    assert contents(tmp_path / "pulled") == contents(new)


def test_configurations_live_side_by_side(tmp_path: Path, hub: HubServer) -> None:
    first, second = shared(tmp_path, "one", title="First"), shared(tmp_path, "two", n=7, shade=60, title="Second")
    push_folder(first, REPO, visibility=None)
    push_folder(second, REPO, visibility=None, config="more")
    push_folder(shared(tmp_path, "three", shade=90, title="Third"), REPO, visibility=None, config="again")
    card = hub.content(REPO, "README.md").decode()
    assert re.findall(r"config_name: (\w+)", card) == ["default", "again", "more"]
    assert "path: more/parquet/train-*.parquet" in card
    assert "# First" in card
    assert "# Second" not in card
    assert "[more/README.md](more/README.md)" in card
    assert b"# Second" in hub.content(REPO, "more/README.md")
    commits = len(hub.repos[REPO].commits)
    for folder, config in ((first, "default"), (second, "more")):
        assert push_folder(folder, REPO, visibility=None, config=config).n_sent == 0
        pull_folder(REPO, tmp_path / f"pulled-{config}", config=config)
    assert len(hub.repos[REPO].commits) == commits
    assert contents(tmp_path / "pulled-default") == contents(first)
    assert contents(tmp_path / "pulled-more" / "more") == contents(second)
    with pytest.raises(PublishError, match="cannot name a configuration"):
        push_folder(second, REPO, visibility=None, config="../up")


@pytest.mark.parametrize(
    ("is_private", "asked", "says"),
    [(False, None, "is public, and a push is private"), (True, "public", "is private, not public"),
     (False, "private", "is public, not private")],
)  # fmt: skip
def test_nobody_publishes_by_mistake(
    tmp_path: Path, hub: HubServer, is_private: bool, asked: Visibility | None, says: str
) -> None:
    hub.create(REPO, private=is_private)
    with pytest.raises(PublishError, match=says):
        push_folder(shared(tmp_path), REPO, visibility=asked)
    assert hub.uploads == []


def test_the_token_is_needed_used_and_not_told(
    tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = shared(tmp_path)
    monkeypatch.setenv("HF_TOKEN", "hf_aWrongButSecretToken")
    with pytest.raises(PublishError) as caught:
        push_folder(folder, REPO, visibility=None)
    assert "hf_aWrong" not in f"{caught.value}{caplog.text}"
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    with pytest.raises(PublishError, match="hf auth login"):
        push_folder(folder, REPO, visibility=None)
    (tmp_path / "token").write_text(TOKEN)
    push_folder(folder, REPO, visibility=None)
    assert hub.authorizations[f"Bearer {TOKEN}"] > 0


def test_a_folder_that_is_not_as_its_manifest_says_stays_here(tmp_path: Path, hub: HubServer) -> None:
    folder = shared(tmp_path)
    (folder / "recipe.yaml").write_text("name: other\n", "utf-8")
    with pytest.raises(PublishError, match=r"recipe\.yaml: another checksum|recipe\.yaml: 12 bytes"):
        push_folder(folder, REPO, visibility=None)
    assert hub.repos == {}


def test_a_wrong_byte_on_the_way_down_is_found_and_fetched_again(tmp_path: Path, hub: HubServer) -> None:
    folder = shared(tmp_path)
    push_folder(folder, REPO, visibility=None)
    hub.faults.append(Fault("GET", "train-00000", "corrupt"))
    pull_folder(REPO, tmp_path / "once")
    assert hub.faults[0].times == 0
    assert contents(tmp_path / "once") == contents(folder)
    hub.faults[:] = [Fault("GET", "train-00000", "corrupt", 100)]
    with pytest.raises(PublishError, match="another checksum"):
        pull_folder(REPO, tmp_path / "always")
    assert not (tmp_path / "always/parquet/train-00000-of-00001.parquet").exists()


def test_a_dropped_download_and_damage_at_home_are_mended(tmp_path: Path, hub: HubServer) -> None:
    folder = shared(tmp_path)
    push_folder(folder, REPO, visibility=None)
    hub.faults.append(Fault("GET", "eval-00000", "drop"))
    pull_folder(REPO, tmp_path / "pulled")
    damaged = tmp_path / "pulled/parquet/eval-00000-of-00001.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    pull_folder(REPO, tmp_path / "pulled")
    assert contents(tmp_path / "pulled") == contents(folder)


def test_what_is_not_ours_is_not_pulled(tmp_path: Path, hub: HubServer) -> None:
    hub.put_files("other/set", {"README.md": b"# x\n"})
    with pytest.raises(DatasetError, match=r"has no medprefkit\.json"):
        pull_folder("other/set", tmp_path / "pulled")
    with pytest.raises(PublishError, match="other/none"):
        pull_folder("other/none", tmp_path / "pulled")


@pytest.mark.parametrize("path", ["../out.txt", "/etc/passwd", "a/../../b", "C:\\x", ""])
def test_a_manifest_cannot_name_files_elsewhere(tmp_path: Path, path: str) -> None:
    manifest = json.loads((shared(tmp_path) / MANIFEST).read_text("utf-8"))
    manifest["files"][0]["path"] = path
    (tmp_path / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(DatasetError, match="not below it"):
        read_manifest(tmp_path)
