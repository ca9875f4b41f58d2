"""A Hugging Face Hub on the loopback, for tests: datasets only, content on disk, faults on demand.

Speaks what `huggingface_hub` 2 and `datasets` 5 ask for with Xet switched off: create, preupload, LFS batch, PUT,
verify, commit, info, tree, paths, resolve with ranges. Standard library only. It runs in a thread; clients read their
settings at import, so a client is a process of its own:

    with HubServer(tmp_path / "hub") as hub:
        Client(hub, tmp_path / "home").python("from medprefkit import load_pairs; load_pairs('user/name')")

or from a shell: `python -m tests.hub_server FOLDER`, which prints the variables to set.
"""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, quote, unquote, urlsplit

TOKEN = "hf_loopbackWriteToken"
_CHUNK = 1 << 20
_LFS_ENDINGS = (".parquet", ".arrow", ".png", ".jpg", ".zip", ".bin", ".safetensors")

FaultKind = Literal["429", "500", "drop", "corrupt", "lose_answer"]


@dataclass
class Fault:
    """What goes wrong, `times` times, at requests that match.

    Kinds: `429` and `500` answer so; `drop` reads half of the body, or sends half of the content, and closes the
    connection; `corrupt` stores or sends one byte differently; `lose_answer` does everything asked and closes the
    connection before it answers.
    """

    method: str
    path: str
    """A regular expression, searched in the path."""
    kind: FaultKind
    times: int = 1


@dataclass(frozen=True)
class Entry:
    """A file of a commit; `digest` is the SHA-256 of its content."""

    digest: str
    size: int
    lfs: bool
    git_oid: str

    @property
    def etag(self) -> str:
        return self.digest if self.lfs else self.git_oid


@dataclass
class Repo:
    """A dataset: its commits from the first (empty) one to the head of `main`."""

    private: bool
    commits: list[tuple[str, dict[str, Entry], str]] = field(default_factory=list)

    @property
    def head(self) -> str:
        return self.commits[-1][0]

    @property
    def files(self) -> dict[str, Entry]:
        return self.commits[-1][1]

    def at(self, revision: str) -> tuple[str, dict[str, Entry]] | None:
        for sha, files, _ in reversed(self.commits):
            if revision in {sha, "main"} or (len(revision) >= 7 and sha.startswith(revision)):
                return sha, files
        return None


class HubServer:
    """The Hub. What happened is in `requests` (method, path), `uploads` (LFS digests as they arrived) and `repos`."""

    def __init__(self, root: Path, *, port: int = 0, token: str = TOKEN) -> None:
        self.root = root
        self.token = token
        self.repos: dict[str, Repo] = {}
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        self.uploads: list[str] = []
        self.authorizations: Counter[str] = Counter()
        self.lock = threading.RLock()
        (root / "blobs").mkdir(parents=True, exist_ok=True)
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = _Server(("127.0.0.1", port), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "HubServer":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve_forever(self) -> None:
        self._server.serve_forever()

    def environment(self, home: Path, *, token: str | None = TOKEN) -> dict[str, str]:
        """Return the variables of a client process that knows no other Hub and no home but `home`."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        return kept | {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_OFFLINE": "0",
            "NO_PROXY": "127.0.0.1",
            **({"HF_TOKEN": token} if token else {}),
        }

    def blob(self, digest: str) -> Path:
        return self.root / "blobs" / digest

    def content(self, repo: str, path: str) -> bytes:
        """Return what the head of a repository holds under a path."""
        return self.blob(self.repos[repo].files[path].digest).read_bytes()

    def fault(self, method: str, path: str, *kinds: FaultKind) -> Fault | None:
        """Return the fault of one of `kinds` that is due at this request, and count it."""
        with self.lock:
            for fault in self.faults:
                due = fault.times > 0 and fault.kind in kinds and fault.method == method
                if due and re.search(fault.path, path):
                    fault.times -= 1
                    return fault
        return None

    def store(self, chunks: Iterator[bytes]) -> tuple[str, int]:
        """Write content under its SHA-256."""
        digest, size = hashlib.sha256(), 0
        temporary = self.root / f"incoming-{threading.get_ident()}"
        with temporary.open("wb") as file:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                file.write(chunk)
        temporary.replace(self.blob(digest.hexdigest()))
        return digest.hexdigest(), size

    def create(self, name: str, *, private: bool) -> None:
        repo = Repo(private=private)
        repo.commits.append((_sha(f"{name} begins"), {}, "initial commit"))
        self.repos[name] = repo

    def commit(self, name: str, files: dict[str, Entry], summary: str) -> str:
        repo = self.repos[name]
        listed = json.dumps({path: entry.digest for path, entry in sorted(files.items())})
        sha = _sha(f"{repo.head} {summary} {len(repo.commits)} {listed}")
        repo.commits.append((sha, files, summary))
        return sha

    def put_files(self, name: str, files: dict[str, bytes], *, private: bool = False) -> str:
        """Commit files without a client, as somebody else would have."""
        if name not in self.repos:
            self.create(name, private=private)
        entries = {path: self.entry_of(content, lfs=path.endswith(_LFS_ENDINGS)) for path, content in files.items()}
        return self.commit(name, {**self.repos[name].files, **entries}, "by somebody else")

    def entry_of(self, content: bytes, *, lfs: bool) -> Entry:
        digest, size = self.store(iter([content]))
        return Entry(digest, size, lfs, _git_oid(content))


class Client:
    """Runs Python or the command line against a Hub, each time as a process of its own."""

    def __init__(self, hub: HubServer, home: Path) -> None:
        self._hub, self._home = hub, home

    def python(self, code: str, *, token: str | None = TOKEN) -> subprocess.CompletedProcess[str]:
        return self._run([sys.executable, "-W", "error", "-c", code], token)

    def medprefkit(self, *arguments: str, token: str | None = TOKEN) -> subprocess.CompletedProcess[str]:
        return self._run([sys.executable, "-m", "medprefkit", *arguments], token)

    def _run(self, command: list[str], token: str | None) -> subprocess.CompletedProcess[str]:
        environment = self._hub.environment(self._home, token=token)
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent where a client went away: the tests drop connections on purpose."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Answered(Exception):  # noqa: N818 (not an error: the request is done with)
    pass


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._handle()

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        path, self._query = unquote(parts.path), parse_qs(parts.query)
        with self.hub.lock:
            self.hub.requests.append((self.command, path))
            self.hub.authorizations[self.headers.get("Authorization", "")] += 1
        self._unread = int(self.headers.get("Content-Length") or 0)
        try:
            if fault := self.hub.fault(self.command, path, "429", "500"):
                self._drain()
                self._answer(int(fault.kind), {"error": "on demand"}, {"Retry-After": "0"})
            self._route(path)
            self._answer(404, {"error": f"no such endpoint: {self.command} {path}"})
        except _Answered:
            pass

    def _route(self, path: str) -> None:
        for pattern, method, name in _ROUTES:
            if self.command in method and (match := re.fullmatch(pattern, path)):
                getattr(self, name)(**match.groupdict())

    # answers

    def _answer(self, status: int, body: object = None, headers: dict[str, str] | None = None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
        raise _Answered

    def _refuse(self, status: int, code: str, message: str) -> None:
        self._drain()
        self._answer(status, {"error": message}, {"X-Error-Code": code, "X-Error-Message": message})

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.close()
        raise _Answered

    # bodies

    def _chunks(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        while self._unread > 0:
            chunk = self.rfile.read(min(_CHUNK, self._unread))
            if not chunk:
                raise ConnectionResetError
            self._unread -= len(chunk)
            yield chunk

    def _drain(self) -> None:
        for _ in self._chunks():
            pass

    def _body(self) -> bytes:
        return b"".join(self._chunks())

    # who may do what

    def _is_writer(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.hub.token}"

    def _require_writer(self) -> None:
        if not self._is_writer():
            self._refuse(401, "", "Invalid username or password.")

    def _repo(self, name: str) -> Repo:
        repo = self.hub.repos.get(name)
        if repo is None or (repo.private and not self._is_writer()):
            self._refuse(404 if self._is_writer() else 401, "RepoNotFound", "Repository not found")
            raise AssertionError
        return repo

    def _revision(self, name: str, revision: str) -> tuple[str, dict[str, Entry]]:
        found = self._repo(name).at(revision)
        if found is None:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            raise AssertionError
        return found

    # endpoints

    def whoami(self) -> None:
        self._require_writer()
        self._answer(200, {"type": "user", "name": "somebody", "auth": {"type": "access_token"}})

    def create(self) -> None:
        wanted = json.loads(self._body())
        self._require_writer()
        name = f"{wanted.get('organization') or 'somebody'}/{wanted['name']}"
        with self.hub.lock:
            known = name in self.hub.repos
            if not known:
                is_private = wanted.get("private") or wanted.get("visibility") == "private"
                self.hub.create(name, private=bool(is_private))
        answer = {"url": f"{self.hub.url}/datasets/{name}", "name": name, "id": name}
        self._answer(409 if known else 200, answer)

    def settings(self, name: str) -> None:
        wanted = json.loads(self._body())
        self._require_writer()
        self._repo(name).private = bool(wanted.get("private") or wanted.get("visibility") == "private")
        self._answer(200, {})

    def info(self, name: str, revision: str = "main") -> None:
        sha, files = self._revision(name, revision)
        siblings = [{"rfilename": path, "size": entry.size} for path, entry in sorted(files.items())]
        told = {"_id": "0", "id": name, "author": name.split("/")[0], "sha": sha, "private": self._repo(name).private}
        dates = {"lastModified": "2026-01-01T00:00:00.000Z", "createdAt": "2026-01-01T00:00:00.000Z"}
        more = {"gated": False, "disabled": False, "tags": [], "downloads": 0, "likes": 0, "cardData": {}}
        self._answer(200, {**told, **dates, **more, "siblings": siblings})

    def refs(self, name: str) -> None:
        head = {"name": "main", "ref": "refs/heads/main", "targetCommit": self._repo(name).head}
        self._answer(200, {"branches": [head], "tags": [], "converts": []})

    def commits(self, name: str, revision: str) -> None:
        self._revision(name, revision)
        told = [
            {"id": sha, "title": summary, "message": "", "authors": [], "date": "2026-01-01T00:00:00.000Z"}
            for sha, _, summary in reversed(self._repo(name).commits)
        ]
        self._answer(200, told)

    def tree(self, name: str, revision: str, folder: str | None = None) -> None:
        _, files = self._revision(name, revision)
        folder = (folder or "").strip("/")
        if folder in files:  # as the Hub: a file has no tree
            self._refuse(404, "EntryNotFound", f"{folder} does not exist on {revision}")
        below = {path: entry for path, entry in files.items() if not folder or path.startswith(f"{folder}/")}
        if folder and not below:
            self._refuse(404, "EntryNotFound", f"{folder} does not exist on {revision}")
        is_recursive = self._query.get("recursive", ["false"])[0].lower() == "true"
        listed = list(_listing(below, folder, is_recursive=is_recursive))
        start = int(self._query.get("cursor", ["0"])[0])
        end = start + 50  # pages, so that a client that reads only the first is found out
        more: dict[str, str] = {}
        if end < len(listed):
            query = f"recursive={str(is_recursive).lower()}&cursor={end}"
            where = f"{self.hub.url}{quote(urlsplit(self.path).path)}?{query}"
            more = {"Link": f'<{where}>; rel="next"'}
        self._answer(200, listed[start:end], more)

    def paths_info(self, name: str, revision: str) -> None:
        text = self._body().decode()
        _, files = self._revision(name, revision)
        wanted = json.loads(text)["paths"] if text.startswith("{") else parse_qs(text).get("paths", [])
        told = []
        for path in wanted:
            if path in files:
                told.append(_file(path, files[path]))
            elif any(known.startswith(f"{path}/") for known in files):
                told.append({"type": "directory", "path": path, "oid": _sha(path), "size": 0})
        self._answer(200, told)

    def preupload(self, name: str, revision: str) -> None:
        wanted = json.loads(self._body())["files"]
        self._require_writer()
        _, files = self._revision(name, revision)
        told = []
        for file in wanted:
            is_lfs = file["path"].endswith(_LFS_ENDINGS) or file["size"] > 10 * _CHUNK
            known = {"oid": files[file["path"]].etag} if file["path"] in files else {}
            mode = "lfs" if is_lfs else "regular"
            told.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, **known})
        self._answer(200, {"files": told, "commitOid": self._repo(name).head})

    def lfs_batch(self, name: str) -> None:
        wanted = json.loads(self._body())["objects"]
        self._require_writer()
        self._repo(name)
        told = []
        for item in wanted:
            upload = {"href": f"{self.hub.url}/lfs/{item['oid']}"}
            verify = {"href": f"{self.hub.url}/lfs-verify"}
            is_new = not self.hub.blob(item["oid"]).exists()
            told.append(dict(item) | ({"actions": {"upload": upload, "verify": verify}} if is_new else {}))
        self._answer(200, {"transfer": "basic", "objects": told})

    def lfs_put(self, oid: str) -> None:
        if self.hub.fault("PUT", f"/lfs/{oid}", "drop"):
            for _ in self._chunks():
                if self._unread * 2 <= int(self.headers["Content-Length"]):
                    break
            self._hang_up()
        chunks = self._chunks()
        if self.hub.fault("PUT", f"/lfs/{oid}", "corrupt"):
            chunks = _flipped(chunks)
        digest, _ = self.hub.store(chunks)
        if digest != oid:
            self.hub.blob(digest).unlink()
            self._answer(400, {"error": "BadDigest: the content does not match its checksum"})
        with self.hub.lock:
            self.hub.uploads.append(oid)
        self._answer(200, None, {"ETag": f'"{oid}"'})

    def lfs_verify(self) -> None:
        wanted = json.loads(self._body())
        found = self.hub.blob(wanted["oid"])
        if not found.exists() or found.stat().st_size != wanted["size"]:
            self._answer(404, {"error": "not there, or of another size"})
        self._answer(200, {})

    def validate_yaml(self) -> None:
        content = json.loads(self._body())["content"]
        front = re.match(r"---\n(.*?)\n---\n", content, re.DOTALL)
        bad = front is not None and re.search(r"^\t", front.group(1), re.MULTILINE)
        self._answer(400 if bad else 200, {"errors": [{"message": "tabs"}] if bad else [], "warnings": []})

    def commit(self, name: str, revision: str) -> None:
        lines = [json.loads(line) for line in self._body().splitlines() if line.strip()]
        self._require_writer()
        path = f"/api/datasets/{name}/commit/{revision}"
        if self.hub.fault("POST", path, "drop"):
            self._hang_up()
        with self.hub.lock:
            repo = self._repo(name)
            header = lines[0]["value"]
            if (parent := header.get("parentCommit")) and parent != repo.head:
                self._refuse(412, "", "A commit has happened since. Please refresh and try again.")
            files = dict(repo.files)
            for line in lines[1:]:
                self._apply(line["key"], line["value"], files)
            sha = self.hub.commit(name, files, header["summary"])
        if self.hub.fault("POST", path, "lose_answer"):
            self._hang_up()
        url = f"{self.hub.url}/datasets/{name}/commit/{sha}"
        self._answer(200, {"success": True, "commitOid": sha, "commitUrl": url, "pullRequestUrl": None})

    def _apply(self, key: str, value: dict[str, Any], files: dict[str, Entry]) -> None:
        path = value["path"]
        if key == "file":
            files[path] = self.hub.entry_of(base64.b64decode(value["content"]), lfs=False)
        elif key == "lfsFile":
            if not self.hub.blob(value["oid"]).exists():
                self._refuse(400, "", f"LFS pointer of {path} points to content that was never uploaded")
            files[path] = Entry(value["oid"], self.hub.blob(value["oid"]).stat().st_size, True, _sha(value["oid"]))
        elif key == "deletedFile":
            if files.pop(path, None) is None:
                self._refuse(404, "EntryNotFound", f"A file with this name doesn't exist: {path}")
        elif key == "deletedFolder":
            for known in [known for known in files if known.startswith(f"{path.rstrip('/')}/")]:
                del files[known]
        else:
            self._refuse(400, "", f"unknown operation {key}")

    def resolve(self, name: str, revision: str, file: str) -> None:
        sha, files = self._revision(name, revision)
        if file not in files:
            self._refuse(404, "EntryNotFound", f"{file} does not exist on {revision}")
        entry = files[file]
        start, end = 0, entry.size
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, end = int(wanted[1]), min(entry.size, int(wanted[2] or entry.size - 1) + 1)
            if start >= entry.size:
                self._answer(416, None, {"Content-Range": f"bytes */{entry.size}"})
        self.send_response(206 if wanted else 200)
        headers = {
            "ETag": f'"{entry.etag}"',
            "X-Repo-Commit": sha,
            "Accept-Ranges": "bytes",
            "Content-Type": "application/octet-stream",
            "Content-Length": str(end - start),
        }
        if entry.lfs:
            headers |= {"X-Linked-Etag": f'"{entry.digest}"', "X-Linked-Size": str(entry.size)}
        if wanted:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{entry.size}"
        for header, value in headers.items():
            self.send_header(header, value)
        self.end_headers()
        if self.command == "GET":
            self._send(entry, file, start, end)
        raise _Answered

    def _send(self, entry: Entry, file: str, start: int, end: int) -> None:
        stop = (start + end) // 2 if self.hub.fault("GET", file, "drop") else end
        content = _pieces(self.hub.blob(entry.digest), start, stop)
        if self.hub.fault("GET", file, "corrupt"):
            content = _flipped(content)
        for chunk in content:
            self.wfile.write(chunk)
        if stop != end:
            self._hang_up()


_NAME = r"(?P<name>[^/]+/[^/]+)"
_REVISION = r"(?P<revision>[^/]+)"
_ROUTES = [
    (r"/api/whoami-v2", "GET", "whoami"),
    (r"/api/repos/create", "POST", "create"),
    (r"/api/validate-yaml", "POST", "validate_yaml"),
    (rf"/api/datasets/{_NAME}", "GET", "info"),
    (rf"/api/datasets/{_NAME}/settings", "PUT", "settings"),
    (rf"/api/datasets/{_NAME}/revision/{_REVISION}", "GET", "info"),
    (rf"/api/datasets/{_NAME}/refs", "GET", "refs"),
    (rf"/api/datasets/{_NAME}/commits/{_REVISION}", "GET", "commits"),
    (rf"/api/datasets/{_NAME}/tree/{_REVISION}(?P<folder>/.*)?", "GET", "tree"),
    (rf"/api/datasets/{_NAME}/paths-info/{_REVISION}", "POST", "paths_info"),
    (rf"/api/datasets/{_NAME}/preupload/{_REVISION}", "POST", "preupload"),
    (rf"/api/datasets/{_NAME}/commit/{_REVISION}", "POST", "commit"),
    (rf"/datasets/{_NAME}\.git/info/lfs/objects/batch", "POST", "lfs_batch"),
    (r"/lfs/(?P<oid>[0-9a-f]{64})", "PUT", "lfs_put"),
    (r"/lfs-verify", "POST", "lfs_verify"),
    (rf"/datasets/{_NAME}/resolve/{_REVISION}/(?P<file>.+)", "GETHEAD", "resolve"),
]  # fmt: skip


def _listing(files: dict[str, Entry], folder: str, *, is_recursive: bool) -> Iterator[dict[str, Any]]:
    folders: set[str] = set()
    for path, entry in sorted(files.items()):
        inside = path[len(folder) + 1 :] if folder else path
        parents = inside.split("/")[:-1]
        for depth in range(1, 1 + (len(parents) if is_recursive else min(1, len(parents)))):
            name = "/".join([*([folder] if folder else []), *parents[:depth]])
            if name not in folders:
                folders.add(name)
                yield {"type": "directory", "path": name, "oid": _sha(name), "size": 0}
        if is_recursive or not parents:
            yield _file(path, entry)


def _file(path: str, entry: Entry) -> dict[str, Any]:
    told: dict[str, Any] = {"type": "file", "path": path, "oid": entry.git_oid, "size": entry.size}
    if entry.lfs:
        told["lfs"] = {"oid": entry.digest, "size": entry.size, "pointerSize": 134}
    return told


def _pieces(path: Path, start: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while start < end and (chunk := file.read(min(_CHUNK, end - start))):
            start += len(chunk)
            yield chunk


def _flipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    first = next(chunks)
    middle = len(first) // 2
    yield first[:middle] + bytes([first[middle] ^ 1]) + first[middle + 1 :]
    yield from chunks


def _sha(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


if __name__ == "__main__":
    server = HubServer(Path(sys.argv[1]))
    shown = server.environment(Path(sys.argv[1]) / "home")
    wanted_names = ("HF_ENDPOINT", "HF_HOME", "HF_HUB_DISABLE_XET", "HF_TOKEN")
    sys.stdout.write("".join(f"export {name}={shown[name]}\n" for name in wanted_names))
    sys.stdout.flush()
    server.serve_forever()
