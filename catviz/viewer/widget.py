"""The viewer in a notebook: the front end draws, the kernel has the exact values ready."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from catviz.figures.notebook import image_output, smaller
from catviz.patterns import AttentionPattern
from catviz.viewer.module import viewer_module
from catviz.viewer.page import write_viewer
from catviz.viewer.payload import Payload, exact_maps, viewer_payload

if TYPE_CHECKING:
    from catviz.figures.figure import Figure

__all__ = ["AttentionViewer"]


class AttentionViewer(anywidget.AnyWidget):
    """Every head of one text, in a notebook; click a head to open it.

    The patterns travel in messages and are no part of the widget's state: a saved notebook holds
    the program and a picture, not the values. Large patterns are drawn from 8-bit values; the
    exact ones of the heads that are open come from the kernel as soon as it is free.

    Any thread may call :meth:`show`.

    Args:
        pattern: every head's attention on one text.
        after: a second pattern of the same tokens, layers and heads, to compare with.
        static: the picture where widgets are not drawn (GitHub, exported HTML); the mean map by
            default.

    Attributes:
        opened: the names of the heads that are open, such as "L5H3"; none where all are. Observe
            it to hear of clicks, link it to a widget that opens heads.

    Raises:
        ValueError: the two patterns cannot be compared.

    >>> viewer = AttentionViewer(pattern, after=tuned)  # doctest: +SKIP
    >>> viewer.save("heads.html")  # doctest: +SKIP
    """

    _esm = viewer_module()

    opened = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(
        self,
        pattern: AttentionPattern,
        *,
        after: AttentionPattern | None = None,
        static: Figure | None = None,
    ) -> None:
        payload = viewer_payload(pattern, after=after)
        super().__init__()
        self._lock = threading.RLock()
        self.on_msg(self._answer)
        # Unasked, right behind the widget itself: a question would wait for the cell to end.
        self._show(pattern, after, payload, static)

    def __repr__(self) -> str:
        return f"<AttentionViewer of {self._pattern!r}>"

    def show(self, pattern: AttentionPattern, *, after: AttentionPattern | None = None) -> None:
        """Show other patterns instead; what was chosen stays chosen where it still makes sense.

        Raises:
            ValueError: the two patterns cannot be compared; those shown before stay.
        """
        self._show(pattern, after, viewer_payload(pattern, after=after))

    def open_heads(self, *names: str) -> None:
        """Open heads by name: one, or several for their mean; without a name, all of them.

        >>> viewer.open_heads("L5H3")  # doctest: +SKIP
        """
        known = self._pattern.head_names
        if unknown := [name for name in names if name not in known]:
            raise ValueError(f"expected heads of {known[0]} to {known[-1]}, got {unknown}")
        self.opened = list(names)

    def save(self, path: str | os.PathLike[str], **about: Any) -> Path:
        """Write the viewer as a page of its own, see :func:`catviz.viewer.write_viewer`."""
        return write_viewer(
            path, self._pattern, after=self._after, **{"static": self._static, **about}
        )

    def _show(
        self,
        pattern: AttentionPattern,
        after: AttentionPattern | None,
        payload: Payload,
        static: Figure | None = None,
    ) -> None:
        with self._lock:  # no exact values of new patterns before the patterns themselves
            self._pattern, self._after, self._payload = pattern, after, payload
            self._static = static
            self._send_patterns()
            self.opened = [name for name in self.opened if name in pattern.head_names]

    def _send_patterns(self) -> None:
        self.send({"kind": "patterns", "meta": self._payload.meta}, [self._payload.data])

    def _answer(self, widget: Any, content: dict[str, Any], buffers: list[bytes]) -> None:
        """Answer the front end: the patterns again (a reloaded page), or exact values."""
        with self._lock:
            if content.get("kind") == "patterns":
                self._send_patterns()
            elif content.get("kind") == "map" and self._has(content["heads"]):
                found = exact_maps(
                    self._pattern, self._after, content["heads"], sink=content["sink"]
                )
                self.send({"kind": "map", "id": content["id"]}, found)

    def _has(self, heads: list[int]) -> bool:
        """False where the question is about patterns that were replaced meanwhile."""
        return max(heads) < len(self._pattern.head_names)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, about = bundle
        data["image/png"], size = image_output(smaller(self._picture().render("png")))
        return data, {**about, "image/png": size}

    def _picture(self) -> Figure:
        if self._static is not None:
            return self._static
        from catviz.figures import attention_map

        before = self._pattern.mean()
        if self._after is None:
            return attention_map([before])
        after = self._after.mean()
        if before.model == after.model:
            before = replace(before, model=f"{before.model}, before")
            after = replace(after, model=f"{after.model}, after", text=before.text)
        return attention_map([before, after])
