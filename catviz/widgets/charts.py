"""What a board draws: small charts as plain data, without a line of drawing.

Their numbers travel as 32-bit floats beside the message, everything else as JSON: see
:func:`encode`. Which colours, dashes and letters they get is the front end's matter; a line or a
row that has a role is painted as this role is everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from catviz.words import ROLES, Role

__all__ = ["Chart", "DotChart", "Dots", "Line", "LineChart", "MapChart", "TextChart", "encode"]

Numbers = Sequence[float] | np.ndarray
Span = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Line:
    """One line of a :class:`LineChart`.

    Attributes:
        x, y: (point,); a NaN in ``y`` interrupts the line.
        role: paints the line as that role; without one it is the next of the chart's series.
        filled: shade what lies below it, as densities are.
        low, high: (point,), the ends of intervals; both or neither.
        marked: a mark at each point, as for points that were measured one by one.
    """

    name: str
    x: Numbers
    y: Numbers
    role: Role | None = None
    filled: bool = False
    low: Numbers | None = None
    high: Numbers | None = None
    marked: bool = False

    def __post_init__(self) -> None:
        _check_role(self.role)
        if (self.low is None) != (self.high is None):
            raise ValueError(f"{self.name}: expected both ends of the intervals or neither")
        sizes = {len(v) for v in (self.x, self.y, self.low, self.high) if v is not None}
        if len(sizes) > 1:
            raise ValueError(f"{self.name}: expected as many y as x, got lengths {sorted(sizes)}")
        _check_finite(self.name, "x", self.x)


@dataclass(frozen=True, eq=False)
class LineChart:
    """Lines over a common axis: densities, training curves, accuracy over alpha.

    Attributes:
        x_range, y_range: the axes' ends; None for what the lines need. Fix them where a chart is
            one of several frames, or what moves is the axis.
        ticks: (place, label) on the x axis, for axes that are no plain numbers ("plain", then
            alphas); None for round numbers.
        cursor: where on the x axis a vertical line stands, with its label.
        note: a sentence below.
    """

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    x_range: Span | None = None
    y_range: Span | None = None
    ticks: Sequence[tuple[float, str]] | None = None
    cursor: tuple[float, str] | None = None
    percent: bool = False  # the y axis holds shares, to be read as percent
    note: str = ""

    def __post_init__(self) -> None:
        _check_span(self.title, "x_range", self.x_range)
        _check_span(self.title, "y_range", self.y_range)
        _check_finite(self.title, "places of ticks", [place for place, _ in self.ticks or ()])
        if self.cursor is not None:
            _check_finite(self.title, "place of the cursor", [self.cursor[0]])


@dataclass(frozen=True, eq=False)
class Dots:
    """One series of a :class:`DotChart`: a value a row, with its interval where there is one."""

    name: str
    values: Numbers
    low: Numbers | None = None
    high: Numbers | None = None


@dataclass(frozen=True, eq=False)
class DotChart:
    """Rows with dots on a common axis, zero marked: effects of factors, head scores.

    Attributes:
        rows: (row,), names from the top.
        roles: (row,), each row's role or "other".
        series: values for every row.
    """

    title: str
    x_label: str
    rows: Sequence[str]
    roles: Sequence[Role]
    series: Sequence[Dots]
    x_range: Span | None = None
    note: str = ""

    def __post_init__(self) -> None:
        for role in self.roles:
            _check_role(role)
        sizes = {len(self.rows), len(self.roles)}
        for one in self.series:
            sizes |= {len(v) for v in (one.values, one.low, one.high) if v is not None}
        if len(sizes) > 1:
            raise ValueError(
                f"{self.title}: expected a role and values for each of the {len(self.rows)} rows, "
                f"got lengths {sorted(sizes)}"
            )
        _check_span(self.title, "x_range", self.x_range)


@dataclass(frozen=True, eq=False)
class MapChart:
    """An attention map: a row for the token that looks, a column for the one looked at.

    Attributes:
        words: (token,), shown on both axes as long as there is room.
        roles: (token,), painted on both axes.
        values: float (token, token), the upper triangle zero.
        highest: the value that gets the last colour; None for this map's own. Fix it where a map
            is one of several frames.
        row: the row that the reader is to look at, marked; None for the last.
    """

    title: str
    words: Sequence[str]
    roles: Sequence[Role]
    values: np.ndarray
    highest: float | None = None
    row: int | None = None
    note: str = ""

    def __post_init__(self) -> None:
        n = len(self.words)
        if np.shape(self.values) != (n, n) or len(self.roles) != n:
            raise ValueError(
                f"{self.title}: expected a role and a row and a column for each of the {n} tokens, "
                f"got {len(self.roles)} roles and values {np.shape(self.values)}"
            )
        if self.row is not None and not 0 <= self.row < n:
            raise ValueError(f"{self.title}: expected a row from 0 to {n - 1}, got {self.row}")
        _check_finite(self.title, "values", self.values)
        for role in self.roles:
            _check_role(role)


@dataclass(frozen=True, eq=False)
class TextChart:
    """A text, each token shaded by a weight: what one row reads.

    Attributes:
        tokens: (token,), as they stand in the text, with the space in front of them.
        roles: (token,).
        weights: (token,), 0 or more.
        highest: as for a map.
    """

    title: str
    tokens: Sequence[str]
    roles: Sequence[Role]
    weights: Numbers
    highest: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if len({len(self.tokens), len(self.roles), len(self.weights)}) > 1:
            raise ValueError(
                f"{self.title}: expected a role and a weight for each of the {len(self.tokens)} "
                f"tokens, got {len(self.roles)} and {len(self.weights)}"
            )
        _check_finite(self.title, "weights", self.weights)
        for role in self.roles:
            _check_role(role)


Chart = LineChart | DotChart | MapChart | TextChart

_KINDS = {LineChart: "lines", DotChart: "dots", MapChart: "map", TextChart: "text"}


@dataclass
class _Packed:
    """Arrays on their way beside the message, named by their number."""

    buffers: list[bytes] = field(default_factory=list)

    def add(self, values: Any) -> dict[str, int] | None:
        if values is None:
            return None
        self.buffers.append(np.ascontiguousarray(values, dtype="<f4").tobytes())
        return {"buffer": len(self.buffers) - 1}


def encode(charts: Mapping[str, Chart]) -> tuple[dict[str, dict[str, Any]], list[bytes]]:
    """Charts as JSON, by name, and the float32 buffers that it refers to by number.

    >>> line = Line("loss", x=[1, 2], y=[0.5, 0.4])
    >>> shown, buffers = encode({"loss": LineChart("Loss", "step", "nats", [line])})
    >>> shown["loss"]["kind"], shown["loss"]["lines"][0]["y"], np.frombuffer(buffers[1], "<f4")
    ('lines', {'buffer': 1}, array([0.5, 0.4], dtype=float32))
    """
    packed = _Packed()
    return {name: _encode(chart, packed) for name, chart in charts.items()}, packed.buffers


_ARRAYS = {"x", "y", "low", "high", "values", "weights"}


def _encode(part: Any, packed: _Packed) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in vars(part).items():
        if name in _ARRAYS:
            found[name] = packed.add(value)
        elif name in ("lines", "series"):
            found[name] = [_encode(one, packed) for one in value]
        elif isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{found.get('title', '')}: expected a finite {name}, got {value}")
        else:
            found[name] = _plain(value)
    if type(part) in _KINDS:
        found["kind"] = _KINDS[type(part)]
    return found


def _plain(value: Any) -> Any:
    """What JSON knows: lists and Python's own numbers, where NumPy's were given."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value


def _check_role(role: Role | None) -> None:
    if role is not None and role not in ROLES:
        raise ValueError(f"expected a role of {', '.join(ROLES)}, got {role!r}")


def _check_finite(where: str, name: str, values: Any) -> None:
    wrong = np.size(values) - np.count_nonzero(np.isfinite(np.asarray(values, dtype=float)))
    if wrong:
        raise ValueError(f"{where}: expected finite {name}, got {wrong} that are not")


def _check_span(where: str, name: str, span: Span | None) -> None:
    if span is not None and not -math.inf < span[0] < span[1] < math.inf:
        raise ValueError(f"{where}: expected {name} from low to high, got {span}")
