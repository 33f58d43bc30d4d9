"""The lines of the journal: what is kept of a text that was asked about.

An annotated line is a record of training data as it stands: ``input``, ``target``, ``important``.
A failed one has neither of them, so that nobody trains on it by accident.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cat.annotate.checking import Checked, Fault
from cat.annotate.cost.money import Usage
from cat.annotate.questions import Question

__all__ = ["Line", "annotated_line", "copied_line", "failed_line"]

Line = dict[str, Any]


def annotated_line(
    question: Question,
    checked: Checked,
    *,
    mode: str,
    model: str,
    usage: Usage | None,
    requests: int,
    faults_before: Sequence[Fault] | None = None,
    **more: Any,
) -> Line:
    """The line of a text with signals.

    Args:
        mode: "schema", "json" or "text".
        model: that was asked.
        usage: of all its requests; None where none was reported.
        faults_before: those of the first reply, where a repair was asked for.
        more: further fields.
    """
    return {
        **_head(question, "annotated"),
        "input": question.text.record["input"],
        "target": question.text.record["target"],
        "important": [{signal.effect: list(signal.causes)} for signal in checked.signals],
        **_tail(checked.faults, faults_before, mode, model, usage, requests),
        **more,
    }


def failed_line(
    question: Question,
    reason: str,
    detail: str,
    *,
    mode: str,
    model: str,
    usage: Usage | None,
    requests: int,
    faults: Sequence[Fault] = (),
    faults_before: Sequence[Fault] | None = None,
    **more: Any,
) -> Line:
    """The line of a text without signals, and why it has none; arguments as above."""
    return {
        **_head(question, "failed"),
        "reason": reason,
        "detail": detail,
        **_tail(faults, faults_before, mode, model, usage, requests),
        **more,
    }


def copied_line(question: Question, line: Mapping[str, Any]) -> Line:
    """The line of a text that says the same as another's, whose line it is given: asked for once,
    so it cost nothing."""
    copy = {**line, **_head(question, line["status"]), "usage": Usage().to_dict(), "requests": 0}
    for field in ("input", "target"):
        if field in copy:
            copy[field] = question.text.record[field]
    return copy


def _head(question: Question, status: str) -> Line:
    return {"key": question.key, "line": question.text.line, "status": status}


def _tail(
    faults: Iterable[Fault],
    before: Sequence[Fault] | None,
    mode: str,
    model: str,
    usage: Usage | None,
    requests: int,
) -> Line:
    return {
        "faults": [fault.to_dict() for fault in faults],
        **({"faults_before": [fault.to_dict() for fault in before]} if before else {}),
        "mode": mode,
        "model": model,
        "usage": usage.to_dict() if usage is not None else None,
        "requests": requests,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
