"""``cat-tune annotate``: what it does, what it says, what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cat.annotate import Endpoint, Journal
from cat.annotate.batches.state import BatchState
from cat.annotate.texts import as_texts
from cat.cli import main
from cat.signals import read_examples, write_records
from tests.cat.annotate.batch_server import BatchServer, share_tls_context
from tests.cat.annotate.problems import MAWPS, problems

KEY = "sk-a-secret-of-the-tests"
# A request is 100 prompt tokens, 40 of them cached, and 20 of the reply: 0.06 + 0.02 + 0.06.
PRICES = """\
m:
  input: 1000
  output: 3000
  cached_input: 500
  batch_factor: 0.5
  currency: EUR
  date: 2026-11-21
  source: the tests
"""
ONE = Decimal("0.14")

Command = Callable[..., int]


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with BatchServer() as running:
        yield running


@pytest.fixture
def command(server: BatchServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command on ten texts; an option that is None is left out."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    share_tls_context(monkeypatch)
    write_records(tmp_path / "in.jsonl", problems(10))
    (tmp_path / "prices.yaml").write_text(PRICES)

    def run(*more: str, **changed: str | None) -> int:
        options = {
            "task": "mawps",
            "model": "m",
            "base_url": server.base_url,
            "out": str(tmp_path / "train.jsonl"),
            "prices": str(tmp_path / "prices.yaml"),
            **changed,
        }
        named = [
            part
            for name, value in options.items()
            if value is not None
            for part in (f"--{name.replace('_', '-')}", value)
        ]
        return main(["annotate", str(tmp_path / "in.jsonl"), *named, *more])

    return run


def test_texts_become_a_file_that_trains(
    command: Command, server: BatchServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command() == 0
    told = capsys.readouterr().out
    assert len(read_examples(tmp_path / "train.jsonl")) == 10
    for said in (
        "10 texts: 10 to be asked",
        "task mawps, model m at http://127.0.0.1",
        "price: 1000 / 3000 EUR per million input / output tokens (the tests, 2026-11-21)",
        "10 texts: 10 annotated; 10 requests, by schema",
        "the endpoint answers by a JSON schema",
        "train.jsonl: 10 annotated, 0 failed",
        "10 pairs of a cause and an effect, 10 kept",
        "10 requests: 1,000 prompt tokens (400 of them cached) and 200 completion tokens",
        "cost: 1.40 EUR",
        f"next: cat-tune train --data {tmp_path} --model",
    ):
        assert said in told
    assert command() == 0
    assert "10 texts: 0 to be asked, 10 annotated before" in capsys.readouterr().out
    assert sum(server.asked.values()) == 10


def test_failed_texts_give_status_1_and_the_way_on(
    command: Command, server: BatchServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.plan = lambda asked: "refusal" if "Box 3 " in asked.text else "answer"
    assert command() == 1
    said = capsys.readouterr()
    assert "9 annotated, 1 failed" in said.out
    assert "1  refusal" in said.out
    assert "--retry-failed asks for the failed ones again" in said.out
    assert "line 4: refusal: I would rather not." in said.err
    server.plan = lambda asked: "answer"
    assert command() == 1  # left at that
    assert "1 failed before" in capsys.readouterr().out
    assert command("--retry-failed") == 0
    told = capsys.readouterr().out
    assert "1 to be asked" in told
    assert "10 annotated, 0 failed" in told
    assert "cost: 1.54 EUR" in told  # the refusal was paid for, too


def test_a_dry_run_sends_nothing(
    command: Command, server: BatchServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("--dry-run") == 0
    told = capsys.readouterr().out
    assert "10 requests" in told
    assert "from 3.5 bytes a token" in told
    assert "nothing was sent" in told
    assert not (tmp_path / "train.jsonl").exists()
    assert command("--limit", "4") == 0
    capsys.readouterr()
    assert command("--dry-run") == 0
    told = capsys.readouterr().out
    assert "6 to be asked, 4 annotated before" in told
    assert "expected: 600 prompt and 120 completion tokens, 0.8400 EUR" in told
    assert "from what the endpoint reported for 4 texts before" in told
    assert sum(server.asked.values()) == 4


def test_an_unknown_price_is_said_and_no_limit_can_be_kept(
    command: Command, server: BatchServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("--max-cost", "1", prices=None) == 2
    said = capsys.readouterr().err
    assert "expected a price of 'm' for --max-cost" in said
    assert "--prices FILE" in said
    assert server.log == []
    assert command("--dry-run", prices=None) == 0
    told = capsys.readouterr().out
    assert "price: unknown: not in the package's price table" in told
    assert "cost unknown" in told
    assert command(prices=None) == 0
    assert "cost: unknown for m (1,200 tokens)" in capsys.readouterr().out


def most_of_one(server: BatchServer) -> Decimal:
    """What one request may cost at most, with replies of 100 tokens; by hand."""
    schema = Endpoint("m", server.base_url).body([])["response_format"]
    sizes = [
        sum(len(one["content"]) + 16 for one in MAWPS.messages(text.example))
        for text in as_texts(problems(10)).items
    ]
    return Decimal(max(sizes) + 64 + len(json.dumps(schema)) + 3 * 100) / 1000


@pytest.mark.parametrize("in_flight", ["1", "64"])
def test_the_cost_stays_below_the_limit(
    command: Command,
    server: BatchServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    in_flight: str,
) -> None:
    """A request costs 0.14 in the end, but is sent only where there is place for the most that it
    can cost."""
    most = most_of_one(server)
    options = ("--in-flight", in_flight, "--max-tokens", "100")
    assert command(f"--max-cost={most - Decimal('0.2')}", *options) == 1
    assert server.log == []
    assert "10 not asked for" in capsys.readouterr().out

    limit = f"--max-cost={most + 3 * ONE + Decimal('0.05')}"
    assert command(limit, *options) == 1
    told = capsys.readouterr().out
    assert sum(server.asked.values()) == 4
    assert "4 annotated, 6 not asked for" in told
    assert "stopped: a request was not sent" in told
    # What was spent before counts: under the same limit there is no place for another one.
    assert command(limit, *options) == 1
    assert sum(server.asked.values()) == 4
    assert command("--max-cost=100", *options) == 0
    assert len(Journal(tmp_path / "train.jsonl").answered) == 10


def test_requests_without_reported_tokens_count_at_their_most(
    command: Command, server: BatchServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also in the next run, which finds them in the file."""
    chat = server.routes["POST", "/v1/chat/completions"]

    async def without_usage(asked: Any) -> Any:
        answer = await chat(asked)
        del answer.body["usage"]
        return answer

    server.routes["POST", "/v1/chat/completions"] = without_usage
    options = ("--max-tokens", "100", f"--max-cost={most_of_one(server) * Decimal('2.5')}")
    assert command(*options) == 1
    assert sum(server.asked.values()) == 2
    assert "no tokens for 2 lines: their cost is unknown" in capsys.readouterr().out
    assert command(*options) == 1
    assert sum(server.asked.values()) == 2


def test_the_report_reads_the_file_only(
    command: Command, server: BatchServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.plan = lambda asked: "absent" if "Box 3 " in asked.text else "answer"
    command()
    told = capsys.readouterr().out
    report = told[told.index(f"{tmp_path / 'train.jsonl'}: 9 annotated") :]
    asked = dict(server.asked)
    options = ["--out", str(tmp_path / "train.jsonl"), "--prices", str(tmp_path / "prices.yaml")]
    assert main(["annotate", "--report", *options]) == 1
    again = capsys.readouterr().out
    assert again == report
    assert "1  no signals" in again
    assert "answer not covered" in again
    assert dict(server.asked) == asked


def test_the_key_is_never_shown(
    command: Command, server: BatchServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.plan = lambda asked: "authentication"
    assert command() == 2
    said = capsys.readouterr()
    assert "OPENAI_API_KEY" in said.err
    command("--dry-run")
    command("--batch", "submit")
    after = capsys.readouterr()
    assert KEY not in said.out + said.err + after.out + after.err
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(KEY.encode() in path.read_bytes() for path in files)


def test_no_key_names_the_variable(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    options = {"base_url": "https://example.invalid/v1", "api_key_variable": "MY_KEY"}
    assert command(**options) == 2
    assert "environment variable MY_KEY" in capsys.readouterr().err
    assert command("--dry-run", **options) == 0  # nothing is sent: no key is needed


def test_broken_lines_are_named_and_counted(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / "in.jsonl").open("a") as file:
        file.write('{"input": "half\n' * 7)
    assert command() == 0
    said = capsys.readouterr()
    assert "10 texts, 7 broken lines left out" in said.out
    assert said.err.count("in.jsonl:1") == 5  # lines 11 to 15 of the file
    assert "left out: 2 more broken lines" in said.err


def test_batches_from_submitting_to_training(
    command: Command, server: BatchServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("--batch", "submit") == 0
    told = capsys.readouterr().out
    assert "the first text was asked directly; the endpoint answers by a JSON schema" in told
    assert "batch batch_0: 9 texts, in_progress" in told
    assert "--batch collect" in told
    assert command("--batch", "submit") == 0
    assert "nothing to ask for" in capsys.readouterr().out
    assert command("--batch", "collect") == 0
    assert "batch batch_0: in_progress, 0 of 9 done" in capsys.readouterr().out
    assert command() == 0  # by chat: nothing is paid for twice
    assert "9 texts are in batches" in capsys.readouterr().out
    assert sum(server.asked.values()) == 1

    server.end("batch_0")
    assert command("--batch", "collect") == 0
    told = capsys.readouterr().out
    assert "batch batch_0: completed, collected" in told
    assert "10 annotated, 0 failed" in told
    assert "1,080 of all went through batches" in told
    assert "cost: 0.7700 EUR" in told  # one at 0.14, nine at half of it
    assert len(read_examples(tmp_path / "train.jsonl")) == 10
    assert len(server.batches) == 1


def test_batches_are_put_in_the_manner_that_the_endpoint_takes(
    command: Command, server: BatchServer, capsys: pytest.CaptureFixture[str]
) -> None:
    chat = server.routes["POST", "/v1/chat/completions"]

    async def without_schema(asked: Any) -> Any:
        from tests.cat.annotate.server import error

        if asked.json.get("response_format", {}).get("type") == "json_schema":
            return error(400, "response_format json_schema is not supported")
        return await chat(asked)

    server.routes["POST", "/v1/chat/completions"] = without_schema
    assert command("--batch", "submit") == 0
    assert "answers in JSON mode" in capsys.readouterr().out
    (batch,) = server.batches.values()
    for line in server.files[batch["input_file_id"]].splitlines():
        body = json.loads(line)["body"]
        assert body["response_format"] == {"type": "json_object"}
        assert "Reply with JSON only" in body["messages"][0]["content"]


def test_a_limit_holds_for_batches_too(
    command: Command, server: BatchServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limit = ONE + most_of_one(server) / 2 * Decimal("4.5")  # the first, and four at half the price
    options = (f"--max-cost={limit}", "--max-tokens", "100")
    assert command("--batch", "submit", *options) == 1
    told = capsys.readouterr().out
    assert "5 texts are left: they could have cost more than --max-cost allows" in told
    (batch,) = BatchState(tmp_path / "train.jsonl").open
    assert batch.held is not None
    assert len(batch.keys) == 4
    assert batch.held.amount + ONE <= limit
    assert command(*options) == 1  # what the batch may cost counts as spent
    assert sum(server.asked.values()) == 1


def test_an_endpoint_without_batches_leaves_the_other_way_open(
    command: Command, server: BatchServer, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.cat.annotate.server import Response

    server.refuse["POST", "/v1/files"] = Response("<html>404</html>", 404)
    assert command("--batch", "submit") == 2
    assert "Without --batch it is asked text by text" in capsys.readouterr().err
    assert command() == 0


@pytest.mark.parametrize(
    ("more", "changed", "told"),
    [
        ((), {"task": None}, "expected --task"),
        ((), {"model": None}, "expected --model"),
        ((), {"task": "maths"}, "expected a --task among mawps"),
        ((), {"task": "mine.yaml"}, "mine.yaml: no such file"),
        ((), {"prices": "none.yaml"}, "no such file of prices"),
        (("--limit", "0"), {}, "expected a --limit of at least one text"),
        ((), {"base_url": "ftp://x"}, "expected a base URL"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_sent(
    command: Command,
    server: BatchServer,
    capsys: pytest.CaptureFixture[str],
    more: tuple[str, ...],
    changed: dict[str, str | None],
    told: str,
) -> None:
    assert command(*more, **changed) == 2
    assert told in capsys.readouterr().err
    assert server.log == []


def test_the_texts_themselves_are_never_written_to(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (tmp_path / "in.jsonl").read_bytes()
    assert command(out=str(tmp_path / "in.jsonl")) == 2
    assert "other than the texts themselves" in capsys.readouterr().err
    assert (tmp_path / "in.jsonl").read_bytes() == before


@pytest.mark.parametrize("amount", ["0", "-1", "nan", "much"])
def test_impossible_limits_are_refused(
    command: Command, capsys: pytest.CaptureFixture[str], amount: str
) -> None:
    with pytest.raises(SystemExit):
        command(f"--max-cost={amount}")
    assert "expected an amount above 0" in capsys.readouterr().err


def test_a_dry_run_of_a_batch_tells_the_price_of_a_batch(
    command: Command, server: BatchServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("--limit", "2") == 0
    costs = []
    for more in ((), ("--batch", "submit")):
        assert command("--dry-run", *more) == 0
        costs.append(capsys.readouterr().out)
    assert "800 prompt and 160 completion tokens, 1.12 EUR" in costs[0]
    assert "800 prompt and 160 completion tokens, 0.5600 EUR" in costs[1]
    assert server.batches == {}


def test_many_failures_are_told_by_the_first_of_them(
    command: Command, server: BatchServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_records(tmp_path / "in.jsonl", problems(40))
    server.plan = lambda asked: "refusal"
    assert command() == 1
    said = capsys.readouterr()
    assert said.err.count("refusal: I would rather not.") == 20
    assert said.err.count("further failures stand in the file only") == 1
    assert "40  refusal" in said.out


def test_texts_that_say_the_same_are_estimated_and_sent_once(
    command: Command, server: BatchServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_records(tmp_path / "in.jsonl", [*problems(5), *problems(2)])
    assert command("--dry-run") == 0
    told = capsys.readouterr().out
    assert "7 texts: 5 to be asked, 2 that say the same as another" in told
    assert "\n5 requests\n" in told
    assert command("--batch", "submit") == 0
    assert server.batches["batch_0"]["request_counts"]["total"] == 4
    server.end("batch_0")
    assert command("--batch", "collect") == 0
    assert "7 annotated, 0 failed" in capsys.readouterr().out
    assert sum(server.asked.values()) == 1
