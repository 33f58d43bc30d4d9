"""`cat.annotate.asking.endpoint`: what its misdeeds are called, and where its key is not."""

from __future__ import annotations

import asyncio
import logging
import traceback

import pytest

from cat.annotate.asking.endpoint import Endpoint, Manner
from cat.annotate.asking.failures import RequestFailed
from cat.annotate.asking.replies import Reply
from cat.annotate.relations import SCHEMA
from tests.cat.annotate.server import AssistantServer
from tests.cat.test_imports import HEAVY, fresh_import

ASKED = [{"role": "user", "content": "<text>\nTwo and two make? 4\n</text>"}]
KEY = "sk-do-not-show-me-0123456789"


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return KEY


def ask(endpoint: Endpoint, manner: Manner = Manner()) -> Reply:  # noqa: B008
    async def once() -> Reply:
        async with endpoint.connect() as connection:
            return await connection.ask(ASKED, manner)

    return asyncio.run(once())


def failure(behaviour: str, timeout: float = 20.0) -> RequestFailed:
    with (
        AssistantServer(lambda asked: behaviour) as server,
        pytest.raises(RequestFailed) as caught,
    ):
        ask(Endpoint("m", server.base_url, timeout=timeout))
    return caught.value


def test_an_answer_with_its_tokens() -> None:
    with AssistantServer() as server:
        reply = ask(Endpoint("m", server.base_url))
    assert reply.text == '{"relations": [{"effect": "4", "causes": ["Two and"]}]}'
    assert reply.usage is not None
    assert reply.usage.to_dict() == {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "cached_tokens": 40,
    }
    assert (reply.model, reply.finish) == ("served", "stop")


@pytest.mark.parametrize(
    ("behaviour", "reason", "detail"),
    [
        ("rate limit", "rate limit", "slow down"),
        ("no credit", "no credit", "quota"),
        ("server error", "server error", "HTTP 500: the model stumbled"),
        ("error in 200", "server error", "overloaded"),
        ("cut", "connection", "RemoteProtocolError"),
        ("cut at once", "connection", "RemoteProtocolError"),
        ("half a body", "not JSON", "line 1"),
        ("HTML", "not an API", "a web page: <!doctype html>"),
        ("other JSON", "not an API", 'expected a chat completion, got {"hello"'),
        ("not found", "not an API", "HTTP 404: Not Found"),
        ("no such model", "no such model", "does not exist"),
        ("refusal", "refusal", "I would rather not."),
        ("content filter", "content filter", "finish_reason"),
        ("content filter 400", "content filter", "our policy"),
        ("truncated", "truncated", "after 20 tokens"),
        ("empty", "empty", "no text"),
        ("no choices", "empty", "without choices"),
        ("too long", "too long", "4096 tokens"),
        ("bad request", "bad request", "HTTP 400: no idea"),
        ("authentication", "authentication", "HTTP 401"),
    ],
)
def test_each_misdeed_has_its_word(behaviour: str, reason: str, detail: str) -> None:
    failed = failure(behaviour)
    assert failed.reason == reason
    assert detail in failed.detail
    answered = {"refusal", "content filter", "truncated", "empty", "no choices"}
    assert (failed.usage is not None) == (behaviour in answered)


@pytest.mark.parametrize("behaviour", ["hang", "trickle"])
def test_a_hanging_endpoint_is_given_up(behaviour: str) -> None:
    """Also one that sends a few bytes from time to time."""
    assert str(failure(behaviour, timeout=0.3)) == "timeout: no answer in 0.3 s"


def test_nobody_there() -> None:
    with AssistantServer() as server:
        pass
    with pytest.raises(RequestFailed, match="ConnectError") as caught:
        ask(Endpoint("m", server.base_url))
    assert caught.value.reason == "connection"


def test_a_second_answer_is_nobodys() -> None:
    """It would be the next request's, on a connection that is used again."""

    async def twice() -> list[str]:
        async with Endpoint("m", server.base_url).connect() as connection:
            texts = ["one makes 1", "two makes 2", "three makes 3"]
            asked = [[{"role": "user", "content": f"<text>\n{t}\n</text>"}] for t in texts]
            return [(await connection.ask(one, Manner())).text for one in asked]

    with AssistantServer(lambda asked: "twice") as server:
        answers = asyncio.run(twice())
    assert [n in answer for n, answer in zip("123", answers, strict=True)] == [True] * 3


# --- the manner -----------------------------------------------------------------------------------


def test_what_is_sent() -> None:
    with AssistantServer() as server:
        endpoint = Endpoint("m", server.base_url, max_tokens=77)
        for manner in (
            Manner(),
            Manner("json", "max_completion_tokens"),
            Manner("text", temperature=False),
        ):
            ask(endpoint, manner)
    schema, json_mode, text = (asked.json for asked in server.log)
    assert schema["response_format"]["type"] == "json_schema"
    assert schema["response_format"]["json_schema"]["schema"] == SCHEMA
    assert schema["response_format"]["json_schema"]["strict"] is True
    assert (schema["max_tokens"], schema["temperature"], schema["model"]) == (77, 0.0, "m")
    assert json_mode["response_format"] == {"type": "json_object"}
    assert json_mode["max_completion_tokens"] == 77
    assert "max_tokens" not in json_mode
    assert not {"response_format", "temperature"} & set(text)


@pytest.mark.parametrize(
    ("said", "manner"),
    [
        ("unknown field: response_format", Manner("json")),
        ("json_schema is not supported (None)", Manner("json")),
        (
            "'max_tokens' is not supported, use 'max_completion_tokens'",
            Manner(length_field="max_completion_tokens"),
        ),
        ("temperature does not support 0.0", Manner(temperature=False)),
        ("something else", None),
    ],
)
def test_what_a_refusal_of_the_manner_leads_to(said: str, manner: Manner | None) -> None:
    assert Manner().after(RequestFailed("bad request", said)) == manner
    assert Manner().after(RequestFailed("too long", said)) is None


def test_the_manners_end() -> None:
    refused = RequestFailed("bad request", "no response_format, no temperature here")
    manner: Manner | None = Manner()
    modes = []
    while manner is not None:
        modes.append(manner.mode)
        manner = manner.after(refused)
    assert modes == ["schema", "json", "text"]


# --- the key --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:11434/v1", True),
        ("http://127.0.0.1:8000/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://192.168.1.7:8000/v1", True),
        ("http://gpu-box:8000/v1", True),
        ("http://gpu.lan/v1", True),
        ("https://api.openai.com/v1", False),
        ("http://8.8.8.8/v1", False),
    ],
)
def test_local_endpoints_need_no_key(
    url: str, local: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert Endpoint("m", url).local == local
    assert Endpoint("m", url, api_key_variable=None).api_key() == "none"
    if local:
        assert Endpoint("m", url).api_key() == "none"
    else:
        with pytest.raises(ValueError, match="environment variable OPENAI_API_KEY, which is not"):
            Endpoint("m", url).api_key()


def test_a_key_with_a_line_break_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLM_KEY", f"{KEY}\nexport X=1")
    with pytest.raises(ValueError, match="GLM_KEY") as caught:
        Endpoint("m", api_key_variable="GLM_KEY").api_key()
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("behaviour", ["authentication", "answer", "server error", "cut"])
def test_the_key_is_sent_and_shown_nowhere(
    behaviour: str, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The endpoint repeats it in its error; libraries log all they do."""
    caplog.set_level(logging.DEBUG)
    with AssistantServer(lambda asked: behaviour) as server:
        endpoint = Endpoint("m", server.base_url)
        try:
            told = repr(ask(endpoint))
        except RequestFailed as failed:
            told = "".join(traceback.format_exception(failed)) + repr(failed)
    assert server.log[0].headers["authorization"] == f"Bearer {key}"
    assert len(caplog.records) > 3
    assert ("***" in told) == (behaviour == "authentication")
    logged = "".join(f"{record.getMessage()} {record.args}" for record in caplog.records)
    assert KEY not in told + repr(endpoint) + caplog.text + logged


@pytest.mark.parametrize(
    "url",
    ["localhost:8000", "ftp://h/v1", "", "https://api.example.com/v1?key=abc", "https:///v1"],
)
def test_what_is_no_base_url(url: str) -> None:
    with pytest.raises(ValueError, match="expected a base URL such as") as caught:
        Endpoint("m", url)
    assert "abc" not in str(caught.value)


def test_a_password_in_the_url_is_refused_and_not_shown() -> None:
    with pytest.raises(ValueError, match="without a user") as caught:
        Endpoint("m", "https://me:secret@api.example.com/v1")
    assert "secret" not in str(caught.value)


def test_importing_the_package_imports_no_client() -> None:
    _, modules = fresh_import("import cat.annotate")
    assert not modules & {"openai", "httpx2", "pydantic", "tqdm", "yaml", *HEAVY}
