"""An endpoint behind a real socket: slow, failing, truncated, malformed, greedy for secrets."""

import base64
import io
import json
import logging
import threading
import time
from typing import Any

import pytest
from loopback import Raw, completion, images_of, serve, text_of, top_logprobs
from made_requests import ask, picture, question
from PIL import Image

from medprefkit.errors import ModelError, RecipeError
from medprefkit.models.endpoint import Endpoint
from medprefkit.models.requests import Failure, Outcome, Reply, Schema
from medprefkit.records import Sampling


def endpoint(base_url: str, **options: Any) -> Endpoint:
    return Endpoint("served", base_url=base_url, **{"max_retries": 1, "timeout_s": 5.0, **options})


def failure(outcome: Outcome) -> tuple[str, str]:
    assert isinstance(outcome, Failure)
    return outcome.reason, outcome.detail


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries pause for up to a second; the pauses are the client's own and not what is tested."""
    monkeypatch.setattr("openai._base_client.SyncAPIClient._calculate_retry_timeout", lambda *_, **__: 0.01)


def test_a_reply_keeps_the_exact_text_and_a_request_carries_all_of_its_sampling() -> None:
    words = " Yes, İ see\tit. \n"
    with serve(lambda _: completion(words)) as server:
        sampling = Sampling(temperature=0.7, top_p=0.9, max_new_tokens=33, seed=5, stop=("\n\n",))
        (reply,) = ask(endpoint(server.base_url), [question(sampling=sampling)])
    assert isinstance(reply, Reply)
    assert (reply.text, reply.finish_reason, reply.revision) == (words, "stop", "fp-1")
    assert (reply.prompt_tokens, reply.completion_tokens) == (7, 3)
    (body,) = server.asked
    assert body["messages"] == [{"role": "user", "content": "Is there a pleural effusion?"}]
    told = {name: body[name] for name in ("model", "temperature", "top_p", "max_tokens", "seed", "stop")}
    assert told == {
        "model": "served", "temperature": 0.7, "top_p": 0.9, "max_tokens": 33, "seed": 5, "stop": ["\n\n"],
    }  # fmt: skip


def test_images_go_before_the_words_as_png_pixel_for_pixel_and_large_ones_smaller() -> None:
    small, large = picture(1), picture(2, (30, 3000))
    with serve(lambda _: completion("ok")) as server:
        ask(endpoint(server.base_url), [question(pictures=(small, large))])
    content = server.asked[0]["messages"][0]["content"]
    assert [part["type"] for part in content] == ["image_url", "image_url", "text"]
    urls = images_of(server.asked[0])
    assert all(url.startswith("data:image/png;base64,") for url in urls)
    sent = [Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))) for url in urls]
    assert (sent[0].tobytes(), sent[1].size) == (small.pixels.tobytes(), (2048, 20))


def test_no_more_calls_at_once_than_the_limit_and_every_reply_goes_to_its_question() -> None:
    def slow(body: dict[str, Any]) -> dict[str, Any]:
        time.sleep(0.02)
        return completion(text_of(body).upper())

    with serve(slow) as server:
        replies = ask(endpoint(server.base_url, concurrency=3), [question(f"q{k}") for k in range(12)])
    assert [reply.text for reply in replies if isinstance(reply, Reply)] == [f"Q{k}" for k in range(12)]
    assert server.most_at_once == 3


def test_passing_failures_are_tried_again() -> None:
    answers = iter([Raw(503, b"{}"), Raw(429, b"{}"), completion("at last")])
    with serve(lambda _: next(answers)) as server:
        (reply,) = ask(endpoint(server.base_url, max_retries=2), [question()])
    assert isinstance(reply, Reply)
    assert (reply.text, len(server.asked)) == ("at last", 3)


@pytest.mark.parametrize(
    ("answer", "reason", "says"),
    [
        (Raw(500, b'{"error": {"message": "cuda is sad"}}'), "call_failed", "HTTP 500: cuda is sad"),
        (Raw(400, b'{"error": {"message": "prompt too long"}}'), "call_refused", "HTTP 400: prompt too long"),
        (Raw(413, b"{}"), "call_refused", "too large"),
        (Raw(307, b"", {"Location": "http://192.0.2.1/v1/chat/completions"}), "call_failed", "HTTP 307"),
        (Raw(200, b'{"choices": [{"mess'), "reply_malformed", "not a completion"),
        (Raw(200, b"<html>hello</html>", {"Content-Type": "text/html"}), "reply_malformed", "without a choice"),
        (Raw(200, b'{"choices": []}'), "reply_malformed", "without a choice"),
        (Raw(200, b'{"choices": null}'), "reply_malformed", "without a choice"),
        (Raw(200, b"[]"), "reply_malformed", "without a choice"),
        (completion(None), "reply_malformed", "NoneType, not text"),
        (completion("x", finish_reason="tool_calls"), "reply_malformed", "tool_calls"),
    ],
)
def test_every_other_failure_has_a_name_and_one_line(answer: Any, reason: str, says: str) -> None:
    with serve(lambda _: answer) as server:
        (outcome,) = ask(endpoint(server.base_url, max_retries=0), [question()])
    found, detail = failure(outcome)
    assert found == reason
    assert says in detail
    assert "\n" not in detail


def test_a_server_that_does_not_answer_in_time_has_failed() -> None:
    release = threading.Event()
    with serve(lambda _: completion("late" if release.wait(2.0) else "never")) as server:
        (outcome,) = ask(endpoint(server.base_url, timeout_s=0.1, max_retries=0), [question()])
        release.set()
    assert failure(outcome) == ("call_failed", "no answer in 0.1 s")


def test_truncated_and_filtered_replies_say_so() -> None:
    made = iter([completion("cut", finish_reason="length"), completion(None, refusal="I cannot")])
    with serve(lambda _: next(made)) as server:
        replies = ask(endpoint(server.base_url, concurrency=1), [question("a"), question("b")])
    assert [reply.finish_reason for reply in replies if isinstance(reply, Reply)] == ["length", "content_filter"]


def test_an_outage_stops_the_run_and_loses_no_reply() -> None:
    def answer(body: dict[str, Any]) -> Any:
        if text_of(body) < "q04":
            return completion("fine")
        time.sleep(0.01)
        return Raw(502, b"{}")

    kept: dict[int, Outcome] = {}
    with serve(answer) as server:
        model = endpoint(server.base_url, concurrency=2, max_retries=0)
        with pytest.raises(ModelError, match=r"no usable answer 3 times in a row: HTTP 502.*--resume"):
            model.ask([question(f"q{k:02}") for k in range(60)], kept.__setitem__)
    assert sum(isinstance(outcome, Reply) for outcome in kept.values()) == 4
    assert len(server.asked) < 30


def test_one_stubborn_request_does_not_stop_the_others() -> None:
    def answer(body: dict[str, Any]) -> Any:
        return Raw(500, b"{}") if text_of(body) == "q1" else completion("fine")

    with serve(answer) as server:
        outcomes = ask(endpoint(server.base_url, max_retries=0), [question(f"q{k}") for k in range(4)])
    assert [isinstance(outcome, Reply) for outcome in outcomes] == [True, False, True, True]


def test_what_a_server_does_not_know_is_left_out_once_and_for_all() -> None:
    def old_server(body: dict[str, Any]) -> Any:
        for name in ("response_format", "logprobs"):
            if name in body:
                return Raw(400, json.dumps({"error": {"message": f"{name} is not supported"}}).encode())
        return completion("Yes")

    schema = Schema("answer", '{"type": "object"}')
    with serve(old_server) as server:
        model = endpoint(server.base_url, concurrency=1)
        replies = ask(model, [question(schema=schema, wants="yes_no", prompt=p) for p in "abc"])
    assert [reply.text for reply in replies if isinstance(reply, Reply)] == ["Yes"] * 3
    assert [("response_format" in body, "logprobs" in body) for body in server.asked] == [
        (True, True), (False, True), (False, False), (False, False), (False, False),
    ]  # fmt: skip


def test_yes_and_no_are_read_from_the_likeliest_words() -> None:
    # yes: log(e^-0.5 + e^-2) = -0.2986; no: -3; another word does not count
    logprobs = top_logprobs(**{"Yes": -0.5, " yes": -2.0, "No": -3.0, "The": -4.0})
    with serve(lambda _: completion("Yes", logprobs=logprobs)) as server:
        (reply,) = ask(endpoint(server.base_url), [question(wants="yes_no")])
    assert isinstance(reply, Reply)
    assert (reply.yes_logp, reply.no_logp) == pytest.approx((-0.2986, -3.0), abs=1e-4)


def test_without_log_probabilities_there_is_the_word() -> None:
    for logprobs in (None, top_logprobs(The=-0.1, A=-3.0)):
        with serve(lambda _, logprobs=logprobs: completion("No", logprobs=logprobs)) as server:
            (reply,) = ask(endpoint(server.base_url), [question(wants="yes_no")])
        assert isinstance(reply, Reply)
        assert (reply.text, reply.yes_logp, reply.no_logp) == ("No", None, None)


def test_a_key_comes_from_its_host_s_variable_and_shows_nowhere(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "sk-very-secret-123"
    monkeypatch.setenv("MEDPREFKIT_KEY_127_0_0_1", secret)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-host")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://192.0.2.1/v1")
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:3128")
    caplog.set_level(logging.DEBUG)
    echo = json.dumps({"error": {"message": f"bad key Bearer {secret}\nsee docs"}}).encode()
    with serve(lambda _: Raw(500, echo)) as server:
        (outcome,) = ask(endpoint(server.base_url, max_retries=0), [question()])
        _, detail = failure(outcome)
    assert server.headers[0]["authorization"] == f"Bearer {secret}"
    assert "bad key Bearer ***" in detail
    with (
        serve(lambda _: Raw(401, echo)) as server,
        pytest.raises(ModelError, match=r"127.0.0.1 refused the key of MEDPREFKIT_KEY_127_0_0_1") as error,
    ):
        ask(endpoint(server.base_url), [question()])
    assert error.value.__suppress_context__
    assert secret not in caplog.text + str(error.value)
    assert "sk-of-another-host" not in json.dumps(server.headers)


@pytest.mark.parametrize(
    ("base_url", "says"),
    [
        ("https://api.example.org/v1", "api.example.org needs a key: set the environment variable MEDPREFKIT_KEY_API_"),
        ("localhost:8000", "no address"),
        ("http://user:word@example.org/v1", "holds a password"),
    ],
)
def test_an_address_without_a_key_or_with_a_password_is_one_line(base_url: str, says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        endpoint(base_url)


def test_a_model_that_the_server_does_not_know_stops_the_run() -> None:
    with (
        serve(lambda _: Raw(404, b"{}")) as server,
        pytest.raises(ModelError, match="does not know the model 'served'"),
    ):
        ask(endpoint(server.base_url), [question()])
