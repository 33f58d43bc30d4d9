"""Tokens and prices: exact, unknown where unknown, never mixed."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from cat.annotate.cost.money import (
    Money,
    Price,
    Prices,
    Usage,
    cost,
    cost_per_million_source_tokens,
)

PRICE = Price(
    "m",
    Decimal("2.50"),
    Decimal("10.00"),
    "USD",
    "2026-01-01",
    "a page",
    cached_input=Decimal("1.25"),
    batch_factor=Decimal("0.5"),
)
FILE = """\
m:
  input: 0.10
  output: 0.30
  currency: EUR
  date: 2026-11-21
  source: a page
"""


def priced(tmp_path: Path, text: str) -> Prices:
    path = tmp_path / "prices.yaml"
    path.write_text(text, encoding="utf-8")
    return Prices.load(path)


def test_the_papers_estimates() -> None:
    """Appendix D, by its own formulas: (570/168.4) 2.50 + (163.9/168.4) 10 and 733.9/168.4 0.25."""
    prices = Prices.load()
    paper = {
        "gpt-4o": (570.0 / 168.4 * 2.50 + 163.9 / 168.4 * 10.00, "18.19 USD"),
        "glm-4-air": ((570.0 + 163.9) / 168.4 * 0.25, "1.09 CNY"),
    }
    for model, (by_hand, told) in paper.items():
        ours = cost_per_million_source_tokens(570.0, 163.9, 168.4, prices[model])
        assert str(ours) == told
        assert math.isclose(float(ours.amount), by_hand, rel_tol=1e-6)


def test_a_usage_costs_what_its_parts_cost() -> None:
    usage = Usage(prompt_tokens=1_000_000, completion_tokens=300_000, cached_tokens=400_000)
    by_hand = Fraction(600_000 * 250 + 400_000 * 125 + 300_000 * 1000, 100 * 10**6)
    assert cost(usage, PRICE) == Money(Decimal(5), "USD")
    assert Fraction(5) == by_hand
    assert cost(usage, PRICE, batch=True) == Money(Decimal("2.5"), "USD")


def test_what_no_source_states_is_counted_at_the_full_price() -> None:
    bare = Price("m", Decimal(1), Decimal(2), "USD", "2026-01-01", "a page")
    cached = Usage(1_000_000, 0, cached_tokens=1_000_000)
    assert cost(cached, bare) == Money(Decimal(1), "USD")
    assert cost(cached, bare, batch=True) == Money(Decimal(1), "USD")


def test_a_hundred_thousand_texts_add_up_exactly() -> None:
    price = Price("m", Decimal("0.10"), Decimal("0.70"), "USD", "2026-01-01", "a page")
    one = cost(Usage(333, 77), price)
    assert one is not None
    total, as_float = Money(Decimal(0), "USD"), 0.0
    for _ in range(100_000):
        total += one
        as_float += float(one.amount)
    assert total == cost(Usage(33_300_000, 7_700_000), price)
    assert as_float != float(total.amount)  # what floats would have made of it


def test_unknown_is_not_zero() -> None:
    assert cost(Usage(1, 1), None) is None
    assert cost(None, PRICE) is None
    assert cost(Usage(), PRICE) == Money(Decimal(0), "USD")
    assert Prices.load().find("gpt-4o-2024-05-13") is None  # another price than gpt-4o


def test_currencies_are_never_mixed() -> None:
    dollars, yuan = Money(Decimal(1), "USD"), Money(Decimal(1), "CNY")
    for mixed in (
        lambda: dollars + yuan,
        lambda: dollars - yuan,
        lambda: dollars <= yuan,
        lambda: dollars < yuan,
    ):
        with pytest.raises(ValueError, match="in one currency, got USD and CNY"):
            mixed()


@pytest.mark.parametrize(
    ("amount", "told"),
    [("0", "0.00"), ("12.3456", "12.35"), ("0.0123456", "0.01235"), ("0.00000012", "0.0000001200")],
)
def test_small_amounts_are_told_with_four_figures(amount: str, told: str) -> None:
    assert str(Money(Decimal(amount), "USD")) == f"{told} USD"


@pytest.mark.parametrize("counts", [(-1, 0, 0), (5, 0, 6), (1.5, 0, 0), (True, 0, 0)])
def test_impossible_usages_are_refused(counts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Usage(*counts)


def test_a_usage_survives_the_journal() -> None:
    usage = Usage(500, 120, 400)
    assert Usage.from_dict(usage.to_dict()) == usage
    assert Usage.from_dict(None) is None
    assert Usage.from_dict({"prompt_tokens": 3, "completion_tokens": None}) == Usage(3)


def test_every_price_in_the_package_says_when_and_by_whom() -> None:
    for model, price in Prices.load().items():
        assert price.model == model
        assert price.date.startswith("202")
        assert price.source
        assert price.currency in {"USD", "CNY"}


def test_prices_of_ones_own(tmp_path: Path) -> None:
    prices = priced(tmp_path, FILE)
    assert prices["m"].input == Decimal("0.10")
    assert list(prices) == ["m"]  # they replace the package's
    assert prices.find("gpt-4o") is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("input: 0.10", "input: free"), "m: input: expected a number >= 0, got 'free'"),
        (("input: 0.10", "input: -1"), "expected a number >= 0"),
        (("input: 0.10", "input: .nan"), "expected a number >= 0"),
        (("  currency: EUR\n", ""), "there is no 'currency'"),
        (("date: 2026-11-21", "date: today"), "expected a date as 2026-11-21, got 'today'"),
        (("source:", "sauce:"), "there is no 'source'"),
        (("input: 0.10", "input: 0.10\n  cached: 0.05"), "got 'cached'"),
        (("input: 0.10", "input: 0.10\n  cached_input: 0.2"), "expected cached_input <= input"),
        (
            ("input: 0.10", "input: 0.10\n  batch_factor: 50"),
            "expected a batch_factor of at most 1",
        ),
        (("m:", "m: ["), "expected a YAML file of prices"),
        ((FILE, "- m"), "expected model names with their prices, got list"),
        ((FILE, "m: 3"), "m: expected input, output"),
    ],
)
def test_bad_price_files_are_told(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=r"prices\.yaml") as refused:
        priced(tmp_path, FILE.replace(*change))
    assert told in str(refused.value)


def test_a_missing_price_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file of prices"):
        Prices.load(tmp_path / "none.yaml")
