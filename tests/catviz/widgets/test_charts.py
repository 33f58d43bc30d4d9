"""Charts as data: what is refused, and what travels."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from catviz.widgets.charts import (
    Chart,
    DotChart,
    Dots,
    Line,
    LineChart,
    MapChart,
    TextChart,
    encode,
)

NAN = float("nan")


def line_chart(**fields: object) -> LineChart:
    given = {"title": "Loss", "x_label": "step", "y_label": "nats", "lines": []} | fields
    return LineChart(**given)  # type: ignore[arg-type]


def test_numbers_travel_beside_what_is_said() -> None:
    lines = [
        Line("causal", [0, 1], [0.5, NAN], role="causal", low=[0.4, NAN], high=[0.6, NAN]),
        Line("loss", np.arange(3), np.array([3.0, 2.0, 1.0])),
    ]
    charts: dict[str, Chart] = {
        "curve": line_chart(lines=lines, cursor=(np.float32(0.5), "now"), x_range=(0, np.int64(4))),
        "effects": DotChart("Effects", "change", ["Smoking"], ["causal"], [Dots("true", [0.25])]),
        "map": MapChart("Map", ["a", "b"], ["other", "causal"], np.tril(np.ones((2, 2)))),
        "text": TextChart("Text", ["a"], ["other"], [1]),
    }
    content, buffers = encode(charts)
    content = json.loads(json.dumps(content))

    def numbers(place: dict[str, int]) -> list[float]:
        return np.frombuffer(buffers[place["buffer"]], "<f4").tolist()

    assert [one["kind"] for one in content.values()] == ["lines", "dots", "map", "text"]
    first, second = content["curve"]["lines"]
    assert numbers(second["y"]) == [3, 2, 1]
    assert second["low"] is None
    assert np.isnan(numbers(first["y"])[1])
    assert np.allclose(numbers(first["high"])[0], 0.6)
    assert content["curve"]["cursor"] == [0.5, "now"]
    assert content["curve"]["x_range"] == [0, 4]
    assert numbers(content["effects"]["series"][0]["values"]) == [0.25]
    assert numbers(content["map"]["values"]) == [1, 0, 1, 1]
    assert numbers(content["text"]["weights"]) == [1]
    assert len(buffers) == 9


WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: Line("loss", [1, 2], [1]), r"loss: expected as many y as x, got lengths \[1, 2\]"),
    (lambda: Line("loss", [1, NAN], [1, 1]), "loss: expected finite x, got 1"),
    (lambda: Line("loss", [1], [1], low=[0]), "both ends of the intervals or neither"),
    (lambda: Line("loss", [1], [1], role="cause"), "expected a role of causal"),  # type: ignore[arg-type]
    (lambda: line_chart(x_range=(1, 1)), r"Loss: expected x_range from low to high, got \(1, 1\)"),
    (lambda: line_chart(y_range=(0, NAN)), "y_range from low to high"),
    (lambda: line_chart(cursor=(NAN, "now")), "finite place of the cursor"),
    (lambda: line_chart(ticks=[(NAN, "plain")]), "finite places of ticks"),
    (
        lambda: DotChart("Effects", "", ["a", "b"], ["other"], []),
        "each of the 2 rows, got lengths",
    ),
    (lambda: MapChart("Map", ["a"], ["other"], np.ones((2, 2))), "each of the 1 tokens"),
    (lambda: MapChart("Map", ["a"], ["other"], np.array([[NAN]])), "Map: expected finite values"),
    (lambda: MapChart("Map", ["a"], ["other"], np.ones((1, 1)), row=1), "a row from 0 to 0, got 1"),
    (lambda: TextChart("Text", ["a"], ["other"], []), "each of the 1 tokens"),
    (lambda: TextChart("Text", ["a"], ["other"], [NAN]), "Text: expected finite weights"),
]


@pytest.mark.parametrize(("make", "said"), WRONG)
def test_what_cannot_be_drawn_is_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_a_colour_scale_without_end_is_refused() -> None:
    chart = TextChart("Text", ["a"], ["other"], [1], highest=NAN)
    with pytest.raises(ValueError, match="Text: expected a finite highest"):
        encode({"text": chart})
