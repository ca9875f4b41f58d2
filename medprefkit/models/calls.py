"""The call store: what models have said, in one SQLite file, so that nothing is asked or paid for twice.

A call is remembered by its content: model, revision, place, prompt, images, sampling. Each reply is on disk before the
next is waited for, so a killed run asks again only what was under way. One file may serve several runs at once.
"""

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from medprefkit.errors import RunError
from medprefkit.models.requests import Asker, Reply, Request

_TABLES = """
CREATE TABLE IF NOT EXISTS calls (
  key TEXT PRIMARY KEY, model TEXT NOT NULL, revision TEXT NOT NULL, place TEXT NOT NULL, prompt TEXT NOT NULL,
  images TEXT NOT NULL, sampling TEXT NOT NULL, reply TEXT NOT NULL, run TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS asked (
  run TEXT NOT NULL, stage TEXT NOT NULL, record TEXT NOT NULL, key TEXT NOT NULL,
  PRIMARY KEY (run, stage, record, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rewrites (
  run TEXT NOT NULL, record TEXT NOT NULL, start_char INTEGER NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL,
  outcome TEXT NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (run, record, start_char, before)) WITHOUT ROWID;
"""


class CallCounts(NamedTuple):
    """What one run asked of one model.

    Attributes:
        model: Its name.
        requests: Questions that records gave rise to.
        calls: Different ones among them; the same question is asked once.
        sent: Of these, the calls that this run itself made; others were in the store already.
        prompt_tokens: Of the calls.
        completion_tokens: Of the calls.
    """

    model: str
    requests: int
    calls: int
    sent: int
    prompt_tokens: int
    completion_tokens: int

    @property
    def cached_share(self) -> float:
        """Share of the requests that an earlier call answered, 0 to 1; 0 where there was no request."""
        return 1.0 - self.calls / self.requests if self.requests else 0.0


class Rewrite(NamedTuple):
    """A model's edit and what became of it: `accepted`, or why it was refused."""

    record_id: str
    start_char: int
    before: str
    after: str
    outcome: str
    detail: str


def call_key(asker: Asker, request: Request) -> str:
    """Return the digest of all that decides a reply."""
    content = [
        asker.model,
        asker.revision,
        asker.place,
        request.prompt,
        [picture.digest for picture in request.pictures],
        request.sampling.model_dump(),
        request.wants,
        list(request.schema or ()),
    ]
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()


class CallStore:
    """One store, seen by one run. The file is made when the first reply is kept; used by one thread at a time."""

    def __init__(self, path: Path, *, run: str) -> None:
        """Remember where the store is and which run asks."""
        self.path = path
        self._run = run
        self._connection: sqlite3.Connection | None = None

    def find(self, key: str) -> Reply | None:
        """Return the reply to a call that was made before, or None."""
        if self._connection is None and not self.path.exists():
            return None
        row = self._database().execute("SELECT reply FROM calls WHERE key = ?", (key,)).fetchone()
        return None if row is None else Reply.model_validate_json(row[0])

    def keep(self, key: str, asker: Asker, request: Request, reply: Reply) -> None:
        """Put a reply on disk."""
        row = (
            key,
            asker.model,
            reply.revision or asker.revision,
            asker.place,
            request.prompt,
            json.dumps([picture.digest for picture in request.pictures]),
            request.sampling.model_dump_json(),
            reply.model_dump_json(),
            self._run,
        )
        with self._database() as database:
            database.execute("INSERT OR IGNORE INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def note_asked(self, stage: str, asked: Sequence[tuple[str, str]]) -> None:
        """Count requests, (record id, key); one that a record repeats counts once, however often a run is resumed."""
        rows = [(self._run, stage, record_id, key) for record_id, key in asked]
        with self._database() as database:
            database.executemany("INSERT OR IGNORE INTO asked VALUES (?, ?, ?, ?)", rows)

    def note_rewrite(self, rewrite: Rewrite) -> None:
        """Keep what became of a model's edit; the last word on the same words counts."""
        with self._database() as database:
            database.execute("INSERT OR REPLACE INTO rewrites VALUES (?, ?, ?, ?, ?, ?, ?)", (self._run, *rewrite))

    def counts(self) -> list[CallCounts]:
        """Return what this run asked, by model in order of its name; nothing where it asked nothing."""
        if self._connection is None and not self.path.exists():
            return []
        query = """
            SELECT calls.model, asked.n, calls.run, calls.reply FROM calls
            JOIN (SELECT key, count(*) AS n FROM asked WHERE run = ? GROUP BY key) AS asked ON asked.key = calls.key"""
        requests, calls, sent, prompt, completion = (Counter[str]() for _ in range(5))
        for model, n, run, reply_json in self._database().execute(query, (self._run,)):
            reply = json.loads(reply_json)
            requests[model] += n
            calls[model] += 1
            sent[model] += run == self._run
            prompt[model] += reply["prompt_tokens"]
            completion[model] += reply["completion_tokens"]
        return [CallCounts(m, requests[m], calls[m], sent[m], prompt[m], completion[m]) for m in sorted(requests)]

    def rewrites(self) -> Iterator[Rewrite]:
        """Yield the model's edits of this run, by record and place."""
        if self._connection is None and not self.path.exists():
            return
        query = "SELECT record, start_char, before, after, outcome, detail FROM rewrites WHERE run = ? ORDER BY 1, 2, 3"
        for row in self._database().execute(query, (self._run,)):
            yield Rewrite(*row)

    def close(self) -> None:
        """Close the file; the store may be used again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _database(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._connection = sqlite3.connect(self.path, timeout=60.0, check_same_thread=False)
                # a write-ahead log lets several runs share the file; a commit is on disk when it returns
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = FULL")
                self._connection.executescript(_TABLES)
            except (sqlite3.Error, OSError) as error:
                self._connection = None
                raise RunError(f"{self.path} cannot be used as a call store: {error}; choose another file") from error
        return self._connection
