"""Scores by role, checked, and the density curve of each: what every density figure draws."""

from collections.abc import Mapping, Sequence
from typing import Literal, cast

import numpy as np
from numpy.typing import ArrayLike

from catviz.scores import SCORED_ROLES
from catviz.words import Role

__all__ = [
    "ByRole",
    "Scale",
    "Scores",
    "check_attention",
    "check_scores",
    "choose_scale",
    "density_curve",
    "describe_scores",
    "ends_of_scores",
    "is_constant",
    "name_axes",
    "tallest",
]

Scale = Literal["auto", "linear", "log"]
ByRole = Mapping[str, ArrayLike] | Mapping[Role, ArrayLike]
Scores = dict[str, dict[Role, np.ndarray]]

_WIDTH_RATIO_FOR_LOG = 5.0
_CUT = 5.0  # a linear axis ends at this many times the lower quartile of the peaks
_GRID = 200  # points of a curve; this and the next are seaborn's defaults
_BANDWIDTHS = 3  # that a curve goes on beyond the outermost scores


def check_scores(scores: Mapping[str, ByRole]) -> Scores:
    """Return each model's scores by role, (word,) each, or say what is wrong with them."""
    if not scores:
        raise ValueError("no scores to draw: expected at least one model")
    return {label: _check(label, by_role) for label, by_role in scores.items()}


def _check(label: str, by_role: ByRole) -> dict[Role, np.ndarray]:
    unknown = set(by_role) - set(SCORED_ROLES)
    if unknown:
        raise ValueError(
            f"model {label!r}: unknown role {sorted(unknown)[0]!r}; expected "
            + ", ".join(SCORED_ROLES)
        )
    checked: dict[Role, np.ndarray] = {}
    for role in SCORED_ROLES:
        values = np.asarray(cast(Mapping[Role, ArrayLike], by_role).get(role, ()), dtype=np.float64)
        where = f"scores of model {label!r}, role {role!r}"
        if values.ndim != 1:
            raise ValueError(
                f"{where}: expected a flat list of numbers, got shape {values.shape}; of scores "
                "per layer or head choose one: scores.at(layer=..., head=...)"
            )
        checked[role] = check_attention(values, where)
    if not any(values.size for values in checked.values()):
        raise ValueError(f"model {label!r} has no scores in any role")
    return checked


def check_attention(values: np.ndarray, where: str) -> np.ndarray:
    """Return the values, or say which of them cannot be attention."""
    if not np.isfinite(values).all():
        at = tuple(np.argwhere(~np.isfinite(values))[0])
        index = int(at[0]) if len(at) == 1 else tuple(map(int, at))
        raise ValueError(f"{where}: expected finite numbers, got {values[at]} at index {index}")
    if values.size and not (values.min() >= 0 and values.max() <= 1 + 1e-6):
        raise ValueError(
            f"{where}: attention lies between 0 and 1, got {values.min():.4g} to {values.max():.4g}"
        )
    return values


def choose_scale(scores: Scores, scale: Scale) -> Literal["linear", "log"]:
    """Return "log" where all scores are above 0 and the roles differ much in spread."""
    groups = [values for by_role in scores.values() for values in by_role.values() if values.size]
    zeros = sum(int((values == 0).sum()) for values in groups)
    if scale == "auto":
        widths = [float(values.std()) for values in groups if not is_constant(values)]
        uneven = bool(widths) and max(widths) > _WIDTH_RATIO_FOR_LOG * min(widths)
        return "log" if uneven and not zeros else "linear"
    if scale not in ("linear", "log"):
        raise ValueError(f"unknown scale {scale!r}; expected auto, linear or log")
    if scale == "log" and zeros:
        raise ValueError(f"{zeros} scores are exactly 0 and have no place on a log axis")
    return scale


def is_constant(values: np.ndarray) -> bool:
    """Whether there is no spread to draw a density of."""
    return values.size < 2 or bool(np.ptp(values) <= 1e-6 * np.abs(values).max())


def density_curve(
    values: np.ndarray, scale: Literal["linear", "log"]
) -> tuple[np.ndarray, np.ndarray]:
    """Return (score, density) along the curve that seaborn's ``kdeplot`` draws by default.

    A Gaussian kernel with Scott's bandwidth; on "log" of the scores' decimal logarithms, so that
    the density is one per tenfold.
    """
    from scipy.stats import gaussian_kde

    points = np.log10(values) if scale == "log" else values
    kernel = gaussian_kde(points)
    beyond = _BANDWIDTHS * float(np.sqrt(kernel.covariance.squeeze()))
    low, high = points.min() - beyond, points.max() + beyond
    if scale == "linear":
        low, high = max(low, 0.0), min(high, 1.0)
    grid = np.linspace(low, high, _GRID)
    return (10**grid if scale == "log" else grid), kernel(grid)


def ends_of_scores(scores: Scores, scale: Literal["linear", "log"]) -> tuple[float, float]:
    """Return where the axis of the scores begins and ends."""
    values = np.concatenate([v for by_role in scores.values() for v in by_role.values()])
    if scale == "linear":
        return 0.0, max(1.05 * float(values.max()), 1e-3)
    return float(values.min()) / 1.5, min(1.0, float(values.max()) * 1.5)


def tallest(heights: Sequence[float], scale: Literal["linear", "log"]) -> float:
    """Return the height at which all panels end; on a linear axis a narrow peak is cut there."""
    limit = max(heights)
    if scale == "linear":
        limit = min(limit, _CUT * float(np.quantile(heights, 0.25)))
    return 1.12 * limit


def name_axes(scale: Literal["linear", "log"]) -> tuple[str, str]:
    """Return what to write at the axis of the scores and at that of the densities."""
    scores = "mean attention score of a word (row that predicts the answer)"
    if scale == "log":
        return f"{scores}, log scale", "density per tenfold"
    return scores, "density"


def describe_scores(scores: Scores) -> str:
    """Return the medians in words."""
    panels = []
    for label, by_role in scores.items():
        medians = ", ".join(
            f"{role} {np.median(values):.3g}" for role, values in by_role.items() if values.size
        )
        panels.append(f"{label}: {medians}")
    return "; ".join(panels)
