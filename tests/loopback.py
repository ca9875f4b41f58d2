"""A server on loopback that speaks the OpenAI protocol, for tests: whatever answers stands behind a real socket.

`transformers serve` would need fastapi and uvicorn; the standard library does.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True)
class Raw:
    """An HTTP response as it is: for what no honest server sends."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def text_of(body: Body) -> str:
    """Return the words of the one user message."""
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def images_of(body: Body) -> list[str]:
    content = body["messages"][-1]["content"]
    return [] if isinstance(content, str) else [p["image_url"]["url"] for p in content if p["type"] == "image_url"]


def completion(text: str | None, *, finish_reason: str = "stop", logprobs: Any = None, **message: Any) -> Body:
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": "served",
        "system_fingerprint": "fp-1",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish_reason,
                "logprobs": logprobs,
                "message": {"role": "assistant", "content": text, **message},
            }
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    }


def top_logprobs(**words: float) -> Body:
    top = [{"token": word, "logprob": logp, "bytes": None} for word, logp in words.items()]
    return {"content": [{**top[0], "top_logprobs": top}], "refusal": None}


@dataclass
class Loopback:
    """What a test sees of its server."""

    base_url: str
    asked: list[Body]
    headers: list[dict[str, str]]
    n_at_once: int = 0
    most_at_once: int = 0


@contextmanager
def serve(answer: Callable[[Body], Body | Raw]) -> Iterator[Loopback]:
    """Serve `answer`, from the body of a request to a completion, until the block ends."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                seen.asked.append(body)
                seen.headers.append({name.lower(): value for name, value in self.headers.items()})
                seen.n_at_once += 1
                seen.most_at_once = max(seen.most_at_once, seen.n_at_once)
            try:
                made = answer(body)
            finally:
                with lock:
                    seen.n_at_once -= 1
            raw = made if isinstance(made, Raw) else Raw(200, json.dumps(made).encode())
            self.send_response(raw.status)
            for name, value in {"Content-Type": "application/json", **raw.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw.body)))
            self.end_headers()
            try:
                self.wfile.write(raw.body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the client did not wait

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A client that went away is no error of the server's."""

    server = Quiet(("127.0.0.1", 0), Handler)
    seen = Loopback(f"http://127.0.0.1:{server.server_address[1]}/v1", [], [])
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()
