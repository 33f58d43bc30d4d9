"""The widget's side in the kernel: a small state, patterns in messages, a picture beside."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ipywidgets import Widget

from catviz.figures import attention_map
from catviz.figures.notebook import smaller
from catviz.viewer import AttentionViewer
from catviz.viewer.payload import viewer_payload
from tests.catviz.viewer.random_patterns import random_pattern


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, Any], list[bytes]]]:
    """What widgets send to the front end."""
    messages: list[tuple[dict[str, Any], list[bytes]]] = []

    def send(self: Widget, content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        messages.append((content, buffers or []))

    monkeypatch.setattr(Widget, "send", send)
    return messages


def test_patterns_are_sent_at_once_and_are_no_state(sent: list[Any]) -> None:
    pattern = random_pattern(4, 4, 200)
    viewer = AttentionViewer(pattern)
    [(content, buffers)] = sent
    payload = viewer_payload(pattern)
    assert content == {"kind": "patterns", "meta": payload.meta}
    assert buffers == [payload.data]
    json.dumps(content)  # plain data
    state = {name: value for name, value in viewer.get_state().items() if name != "_esm"}
    assert len(str(state)) < 2000
    assert len(viewer.get_state()["_esm"]) < 120_000


def test_questions_are_answered(sent: list[Any]) -> None:
    pattern, after = random_pattern(), random_pattern(seed=1)
    viewer = AttentionViewer(pattern, after=after)
    sent.clear()
    viewer._handle_custom_msg({"kind": "patterns"}, [])
    viewer._handle_custom_msg({"kind": "map", "id": "7", "heads": [5], "sink": "in"}, [])
    viewer._handle_custom_msg({"kind": "something else"}, [])
    (again, _), (answer, maps) = sent
    assert again["kind"] == "patterns"
    assert answer == {"kind": "map", "id": "7"}
    for state, values in zip((pattern, after), maps, strict=True):
        wanted = state.head("L1H1").values[np.tril_indices(state.size)]
        assert np.abs(np.frombuffer(values, dtype=np.float32) - wanted).max() < 1e-7


def test_other_patterns_take_the_place_of_the_first(sent: list[Any]) -> None:
    viewer = AttentionViewer(random_pattern(), static=attention_map([random_pattern().mean()]))
    viewer.open_heads("L0H1", "L2H3")
    sent.clear()
    other, after = random_pattern(layers=1, seed=2), random_pattern(layers=1, seed=3)
    viewer.show(other, after=after)
    [(content, [data])] = sent
    payload = viewer_payload(other, after=after)
    assert (content["meta"], data) == (payload.meta, payload.data)
    assert viewer.opened == ["L0H1"]  # what is still there stays open
    assert viewer._picture().data != attention_map([random_pattern().mean()]).data
    # A question about the first ones came late.
    viewer._answer(viewer, {"kind": "map", "id": "7", "heads": [11], "sink": "in"}, [])
    assert len(sent) == 1
    with pytest.raises(ValueError, match="same heads"):
        viewer.show(other, after=after.select(heads=[0]))
    assert len(sent) == 1
    assert viewer._after is after


@pytest.mark.usefixtures("sent")
def test_heads_are_opened_by_name() -> None:
    viewer = AttentionViewer(random_pattern())
    viewer.open_heads("L1H2")
    assert viewer.get_state()["opened"] == ["L1H2"]
    with pytest.raises(ValueError, match=r"L0H0 to L2H3, got \['L9H9'\]"):
        viewer.open_heads("L0H1", "L9H9")
    viewer.open_heads()
    assert viewer.opened == []


@pytest.mark.usefixtures("sent")
def test_a_picture_stands_beside() -> None:
    pattern = random_pattern()
    picture = attention_map([pattern.mean()], title="Ours")
    bundle = AttentionViewer(pattern, static=picture)._repr_mimebundle_()
    assert bundle is not None
    data, about = bundle
    assert "application/vnd.jupyter.widget-view+json" in data
    assert base64.b64decode(data["image/png"]) == smaller(picture.render("png"))
    assert about["image/png"]["width"] > 100
    assert "3 layers x 4 heads" in data["text/plain"]


@pytest.mark.usefixtures("sent")
def test_the_picture_of_two_patterns_of_one_name() -> None:
    viewer = AttentionViewer(random_pattern(), after=random_pattern(seed=1))
    bundle = viewer._repr_mimebundle_()
    assert bundle is not None
    assert bundle[0]["image/png"]


@pytest.mark.usefixtures("sent")
def test_saving(tmp_path: Path) -> None:
    path = AttentionViewer(random_pattern()).save(tmp_path / "heads.html", title="Heads of ours")
    assert "<title>Heads of ours</title>" in path.read_text(encoding="utf-8")


def test_patterns_that_cannot_be_compared(sent: list[Any]) -> None:
    with pytest.raises(ValueError, match="same heads"):
        AttentionViewer(random_pattern(), after=random_pattern().select(heads=[0]))
    assert sent == []
