"""What became of an annotation's texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cat.annotate.asking.endpoint import Manner
from cat.annotate.cost.money import Usage

__all__ = ["AnnotationResult", "AnnotationStopped"]


@dataclass(frozen=True)
class AnnotationResult:
    """What became of the texts.

    Attributes:
        texts: all of them.
        before: those that the journal had an answer for.
        failed_before: those that had failed before and were left at that.
        annotated: now.
        failed: now, by reason.
        copies: those of ``annotated`` and ``failed`` that say the same as another text, whose
            answer they got.
        requests: sent now, those that failed too.
        usage: of these, as far as the endpoint reports it.
        unreported: requests that may have been charged without our knowing how much.
        manner: in which the endpoint was found to take requests.
        others: answers in the journal to other questions: other texts, another model, other
            instructions. Training reads them too.
        stopped: why some texts were not asked for; None where all were.
    """

    texts: int
    before: int
    failed_before: int
    annotated: int
    failed: Mapping[str, int]
    copies: int
    requests: int
    usage: Usage
    unreported: int
    manner: Manner
    others: int = 0
    stopped: str | None = None

    @property
    def mode(self) -> str:
        """By what replies come: "schema", "json" or "text"."""
        return self.manner.mode

    @property
    def left(self) -> int:
        """Texts that were not asked for."""
        done = self.before + self.failed_before + self.annotated + sum(self.failed.values())
        return self.texts - done

    def __str__(self) -> str:
        reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(self.failed.items()))
        parts = {
            "annotated before": self.before,
            "failed before and left at that": self.failed_before,
            "annotated": self.annotated,
            f"failed ({reasons})": sum(self.failed.values()),
            "not asked for": self.left,
        }
        counts = ", ".join(f"{n} {what}" for what, n in parts.items() if n)
        told = [f"{self.texts} text{'s' * (self.texts != 1)}: {counts or 'nothing to do'}"]
        if self.requests:
            told[0] += f"; {self.requests} request{'s' * (self.requests != 1)}, by {self.mode}"
        if self.stopped:
            told.append(f"stopped: {self.stopped}")
        if self.others:
            told.append(
                f"the file also holds {self.others} annotations of other texts, by another model "
                "or with other instructions; training would read them too"
            )
        return "\n".join(told)


class AnnotationStopped(RuntimeError):
    """The endpoint cannot be used any further; what was answered before is kept.

    Attributes:
        reason: as of :class:`cat.annotate.asking.failures.RequestFailed`.
        result: what became of the texts until then.
    """

    def __init__(self, message: str, reason: str, result: AnnotationResult) -> None:
        super().__init__(message)
        self.reason = reason
        self.result = result
