"""The Hub: one folder becomes one commit of a dataset repository, or no commit at all; and back, checksums verified.

Large files go up one after the other, each read in pieces, so the memory needed is that of none of them; those that the
Hub has are not sent again, which is what makes a repeat cheap. Files become visible by the commit alone. Transient
errors (429, 5xx, a lost connection) are retried by `huggingface_hub`; the commit, which it sends once, is retried
here after a look at whether it arrived.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from httpx2 import TransportError
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile
from tqdm import tqdm

from medprefkit import __version__
from medprefkit.errors import PublishError
from medprefkit.publish.front_matter import DEFAULT_CONFIG, merged_card
from medprefkit.publish.manifest import MANIFEST, Manifest, faulty_files, read_manifest, sha256_of

logger = logging.getLogger(__name__)

T = TypeVar("T")

Visibility = Literal["private", "public"]

_README = "README.md"
_ATTEMPTS = 4
_CONFLICT = 412
_HUB_ERRORS = (
    HfHubHTTPError,
    TransportError,
    OfflineModeIsEnabled,
    HFValidationError,
    RuntimeError,
    ValueError,
    OSError,
)
"""What `huggingface_hub` raises for a wrong name, token, answer or connection; `RuntimeError` wraps a failed upload."""


class Pushed(NamedTuple):
    """What a push did; `commit` is the head afterwards, `n_sent` the files of it that changed."""

    url: str
    commit: str
    n_sent: int
    n_unchanged: int
    n_bytes_sent: int


class _Remote(NamedTuple):
    """The head of `main`: its commit, and path -> checksum (SHA-256 of a large file, git's of a small one)."""

    head: str
    checksums: Mapping[str, str]


def push_folder(folder: Path, repo: str, *, visibility: Visibility | None, config: str = DEFAULT_CONFIG) -> Pushed:
    """Make a folder with a manifest the content of a dataset repository, or one configuration of it.

    Other configurations of the repository stay; files of this one that are no longer there are deleted in the same
    commit. A second push of the same bytes sends nothing and makes no commit.

    Args:
        folder: Has `README.md` and a manifest.
        repo: `user/name`; made where it does not exist.
        visibility: Of a new repository, `private` where None. A repository that exists keeps its own, and must have
            the one that is asked for; without one it must be private.
        config: The configuration; the default one lies at the top of the repository, others in a folder of their name.

    Raises:
        PublishError: If nobody is logged in, the repository has another visibility, something went wrong on the way
            (nothing is visible then; a repeat goes on), or another commit came between.
    """
    api = HfApi(library_name="medprefkit", library_version=__version__)
    if get_token() is None:
        raise PublishError("no Hugging Face token; `hf auth login` stores one, or set HF_TOKEN")
    manifest = read_manifest(folder)
    if faulty := faulty_files(folder, manifest.files):
        told = "; ".join(f"{path}: {problem}" for path, problem in sorted(faulty.items()))
        raise PublishError(f"{folder} is not as its manifest says ({told}); run the stage `publish` again")
    try:
        _require_repo(api, repo, visibility)
        remote = _remote(api, repo)
        readme = merged_card((folder / _README).read_text("utf-8"), _file_on_hub(api, repo, remote, _README),
                             config=config, repo=repo).encode()  # fmt: skip
        files = _targets(folder, manifest, config)
        changed = [target for target, path in files.items() if not _is_same(path, remote.checksums.get(target))]
        stale = sorted(_shared_before(api, repo, remote, config) - set(files))
        operations: list[CommitOperationAdd | CommitOperationDelete] = list(_uploaded(api, repo, files, changed))
        if remote.checksums.get(_README) != _git_oid(readme):
            operations.append(CommitOperationAdd(path_in_repo=_README, path_or_fileobj=readme))
        operations += [CommitOperationDelete(path_in_repo=path, is_folder=False) for path in stale]
        head = _commit(api, repo, operations, remote) if operations else remote.head
    except _HUB_ERRORS as error:
        raise PublishError(
            f"{repo}: {_told(error)}; nothing of this push is visible, the same command goes on"
        ) from error
    n_bytes = sum(files[target].stat().st_size for target in changed)
    return Pushed(
        url=f"{api.endpoint}/datasets/{repo}",
        commit=head,
        n_sent=len(operations) - len(stale),
        n_unchanged=len(files) - len(changed),
        n_bytes_sent=n_bytes,
    )


def pull_folder(repo: str, folder: Path, *, config: str = DEFAULT_CONFIG, revision: str | None = None) -> Manifest:
    """Download a configuration into a folder and verify every file by its checksum.

    What is there already and is whole is not fetched again, so a stopped pull goes on. A file whose checksum is wrong
    is fetched once more, and if it stays wrong removed: nothing that is not as its manifest says is left behind.

    Raises:
        PublishError: If the repository cannot be read, or a file stays different from what its manifest says.
        DatasetError: If the repository holds nothing that medprefkit shared.
    """
    api = HfApi(library_name="medprefkit", library_version=__version__)
    prefix = _prefix(config)
    home = folder / prefix
    try:
        sha = _patiently(partial(api.repo_info, repo, repo_type="dataset", revision=revision)).sha
        _download(repo, folder, [f"{prefix}{MANIFEST}", f"{prefix}{_README}"], sha)
        manifest = read_manifest(home)
        _download(repo, folder, [f"{prefix}{file.path}" for file in manifest.files], sha)
        if faulty := faulty_files(home, manifest.files):
            _remove(home, faulty)
            _download(repo, folder, [f"{prefix}{path}" for path in faulty], sha, force=True)
    except _HUB_ERRORS as error:
        raise PublishError(f"{repo}: {_told(error)}; the same command goes on") from error
    if faulty := faulty_files(home, manifest.files):
        _remove(home, faulty)
        told = "; ".join(f"{path}: {problem}" for path, problem in sorted(faulty.items()))
        raise PublishError(f"{repo} is not as its manifest says ({told}); ask its owner to push it again")
    return manifest


def _download(repo: str, folder: Path, paths: Sequence[str], sha: str | None, *, force: bool = False) -> None:
    _patiently(
        partial(
            snapshot_download, repo, repo_type="dataset", revision=sha, local_dir=folder, allow_patterns=list(paths),
            force_download=force,
        )
    )  # fmt: skip


def _remove(home: Path, faulty: Mapping[str, str]) -> None:
    for path in faulty:
        (home / path).unlink(missing_ok=True)


def _require_repo(api: HfApi, repo: str, visibility: Visibility | None) -> None:
    try:
        found = _patiently(partial(api.repo_info, repo, repo_type="dataset"))
    except RepositoryNotFoundError:
        is_private = visibility != "public"
        _patiently(partial(api.create_repo, repo, repo_type="dataset", private=is_private, exist_ok=True))
        return
    has = "private" if found.private else "public"
    if has != (visibility or "private"):
        wanted = f"not {visibility}" if visibility else "and a push is private unless --public says otherwise"
        raise PublishError(
            f"{repo} exists and is {has}, {wanted}; change it in its settings on the Hub, or say --{has}"
        )


def _remote(api: HfApi, repo: str) -> _Remote:
    head = str(_patiently(partial(api.repo_info, repo, repo_type="dataset")).sha)
    listing = partial(api.list_repo_tree, repo, recursive=True, revision=head, repo_type="dataset")
    items = _patiently(partial(_all_of, listing))
    files = [item for item in items if isinstance(item, RepoFile)]
    return _Remote(head, {file.path: file.lfs.sha256 if file.lfs else file.blob_id for file in files})


def _all_of(listing: Callable[[], Iterable[T]]) -> list[T]:
    """Read every page, so that a fault on a later one is met here."""
    return list(listing())


def _file_on_hub(api: HfApi, repo: str, remote: _Remote, path: str) -> str | None:
    if path not in remote.checksums:
        return None
    found = _patiently(partial(api.hf_hub_download, repo, path, repo_type="dataset", revision=remote.head))
    return Path(found).read_text("utf-8")


def _shared_before(api: HfApi, repo: str, remote: _Remote, config: str) -> set[str]:
    """Return the files that an earlier push of this configuration brought; what others put there is not ours."""
    text = _file_on_hub(api, repo, remote, f"{_prefix(config)}{MANIFEST}")
    if text is None:
        return set()
    listed = {f"{_prefix(config)}{file.path}" for file in Manifest.model_validate_json(text).files}
    return listed & set(remote.checksums)


def _targets(folder: Path, manifest: Manifest, config: str) -> dict[str, Path]:
    """Return path in the repository -> file, in the order in which they go up."""
    own_card = [] if config == DEFAULT_CONFIG else [_README]  # the default configuration's is the repository's
    paths = [*(file.path for file in manifest.files), MANIFEST, *own_card]
    return {f"{_prefix(config)}{path}": folder / path for path in paths}


def _prefix(config: str) -> str:
    return "" if config == DEFAULT_CONFIG else f"{config}/"


def _uploaded(api: HfApi, repo: str, files: Mapping[str, Path], changed: Sequence[str]) -> Iterator[CommitOperationAdd]:
    total = sum(files[target].stat().st_size for target in changed)
    with tqdm(total=total, desc="push", unit="B", unit_scale=True, disable=None, leave=False) as bar:
        for target in changed:
            operation = CommitOperationAdd(path_in_repo=target, path_or_fileobj=str(files[target]))
            _patiently(partial(api.preupload_lfs_files, repo, [operation], repo_type="dataset"), attempts=2)
            bar.update(files[target].stat().st_size)
            yield operation


def _commit(
    api: HfApi, repo: str, operations: Sequence[CommitOperationAdd | CommitOperationDelete], before: _Remote
) -> str:
    """Make the commit once, also where the answer to it was lost."""
    for attempt in range(_ATTEMPTS):
        try:
            return str(
                api.create_commit(
                    repo,
                    operations,
                    commit_message="Preference pairs, their card, recipe and checksums",
                    repo_type="dataset",
                    parent_commit=before.head,
                ).oid
            )
        except _HUB_ERRORS as error:
            if not _is_transient(error) and _status(error) != _CONFLICT:
                raise
            now = _remote(api, repo)
            if now.head != before.head:
                if _holds(now, operations):
                    return now.head
                raise PublishError(f"{repo} got another commit meanwhile; look at it, then push again") from error
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(2**attempt)
    raise PublishError(f"{repo}: the commit did not arrive; push again")


def _holds(remote: _Remote, operations: Sequence[CommitOperationAdd | CommitOperationDelete]) -> bool:
    return all(
        remote.checksums.get(operation.path_in_repo) in _known_checksums(operation)
        if isinstance(operation, CommitOperationAdd)
        else operation.path_in_repo not in remote.checksums
        for operation in operations
    )


def _known_checksums(operation: CommitOperationAdd) -> set[str]:
    sha256 = operation.upload_info.sha256.hex()
    content = operation.path_or_fileobj
    if isinstance(content, str):
        content = Path(content).read_bytes()
    return {sha256, _git_oid(content)} if isinstance(content, bytes) else {sha256}


def _is_same(path: Path, checksum: str | None) -> bool:
    """Compare with a checksum of the Hub: SHA-256 for a large file, git's for a small one."""
    if checksum is None:
        return False
    return checksum == (sha256_of(path) if len(checksum) == 64 else _git_oid(path.read_bytes()))


def _git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _patiently(call: Callable[[], T], *, attempts: int = _ATTEMPTS) -> T:
    """Repeat a call after a transient error, waiting longer each time."""
    for attempt in range(attempts - 1):
        try:
            return call()
        except _HUB_ERRORS as error:
            if not _is_transient(error):
                raise
            logger.info("the Hub stumbled (%s); trying again", _told(error))
            time.sleep(2**attempt)
    return call()


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, RuntimeError) and error.__cause__ is not None:  # a failed upload, wrapped
        return isinstance(error.__cause__, HfHubHTTPError | TransportError)
    status = _status(error)
    return isinstance(error, TransportError) or status == 429 or status >= 500


def _status(error: BaseException) -> int:
    return error.response.status_code if isinstance(error, HfHubHTTPError) and error.response is not None else 0


def _told(error: BaseException) -> str:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    cause = error.__cause__
    return f"{first} ({_told(cause)})" if isinstance(error, RuntimeError) and cause is not None else first
