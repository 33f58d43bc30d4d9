"""Reading the results of a batch: for each of its texts a reply, or why there is none.

Results come in any order, in two files (answers and errors); they are put to their texts by custom
id alone. What is not as it should be is told: a broken line, an id of another text, a second
result.

>>> body = {"model": "m", "choices": [{"message": {"content": "4"}, "finish_reason": "stop"}]}
>>> answer = {"custom_id": "k2", "response": {"status_code": 200, "body": body}, "error": None}
>>> results = read_results(("k1", "k2"), [json.dumps(answer), '{"custom_id": "k1", "resp'])
>>> results.replies["k2"].text, str(results.failures["k1"])
('4', 'missing: the batch has no result for this text')
>>> results.remarks
('1 line of the results is broken',)
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cat.annotate.asking.failures import RequestFailed, failure_of_error, failure_of_status, shorten
from cat.annotate.asking.replies import Reply, read_completion

__all__ = ["BatchResults", "read_results"]


@dataclass(frozen=True)
class BatchResults:
    """What came of a batch's texts, each in one of the two.

    Attributes:
        replies: key -> what the assistant answered.
        failures: key -> why there is no answer.
        remarks: a sentence for each thing that is not as it should be.
    """

    replies: Mapping[str, Reply]
    failures: Mapping[str, RequestFailed]
    remarks: tuple[str, ...] = ()


def read_results(
    keys: Sequence[str], lines: Iterable[str], *, status: str = "completed", why: str = ""
) -> BatchResults:
    """The results of a batch.

    Of several results of a text the first answer is taken, else the first failure.

    Args:
        keys: of its texts, their custom ids.
        lines: of its output file and of its error file.
        status: how it ended: "completed", "expired", "cancelled" or "failed".
        why: what the provider says about that.
    """
    ours = set(keys)
    replies: dict[str, Reply] = {}
    failures: dict[str, RequestFailed] = {}
    strange: Counter[str] = Counter()
    for line in lines:
        if not line.strip():
            continue
        try:
            result = json.loads(line)
            key = result["custom_id"]
        except (ValueError, TypeError, KeyError):
            strange["broken"] += 1
            continue
        if not isinstance(key, str) or key not in ours:
            strange["not ours"] += 1
            continue
        strange["second"] += key in replies or key in failures
        try:
            replies.setdefault(key, _reply(result))
        except RequestFailed as failure:
            failures.setdefault(key, failure)
    for key in keys:
        failures.setdefault(key, _nothing(status, why))
    failures = {key: failure for key, failure in failures.items() if key not in replies}
    return BatchResults(replies, failures, _remarks(strange))


def _reply(result: Mapping[str, Any]) -> Reply:
    response = result.get("response")
    if not isinstance(response, Mapping):
        error = result.get("error")
        told = error if isinstance(error, Mapping) else {}
        if (code := told.get("code")) in ("batch_expired", "batch_cancelled"):
            raise _nothing(code.removeprefix("batch_"), shorten(str(told.get("message") or "")))
        raise failure_of_error(error)
    code, body = response.get("status_code", 200), response.get("body")
    if not isinstance(code, int) or code >= 400:
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        raise failure_of_status(code if isinstance(code, int) else 500, {}, text)
    return read_completion(body)


def _nothing(status: str, why: str) -> RequestFailed:
    """The failure of a text without a result."""
    if status == "completed":
        return RequestFailed("missing", why or "the batch has no result for this text")
    reason: Any = f"batch {status}"
    return RequestFailed(reason, why, sure=True)


def _remarks(strange: Mapping[str, int]) -> tuple[str, ...]:
    told = {
        "broken": ("line of the results is broken", "lines of the results are broken"),
        "not ours": ("result is of no text of the batch", "results are of no text of the batch"),
        "second": ("text has a second result, left aside", "texts have second results, left aside"),
    }
    return tuple(
        f"{strange[name]} {told[name][strange[name] > 1]}" for name in told if strange[name]
    )
