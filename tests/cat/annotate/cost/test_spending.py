"""What the lines of a journal cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from cat.annotate.cost.money import Money, Price, Prices, Usage
from cat.annotate.cost.spending import Spending


def price(model: str, amount: str, currency: str, **more: Any) -> Price:
    return Price(model, Decimal(amount), Decimal(amount), currency, "2026-01-01", "a page", **more)


PRICES = Prices(
    {
        "dollars": price("dollars", "1", "USD", batch_factor=Decimal("0.5")),
        "yuan": price("yuan", "7", "CNY"),
        "free": price("free", "0", "USD"),
    },
    "test",
)
MILLION = Usage(900_000, 100_000).to_dict()


def line(
    model: str, usage: dict[str, int] | None, requests: int = 1, **more: Any
) -> dict[str, Any]:
    return {"model": model, "usage": usage, "requests": requests, **more}


def test_currencies_stand_side_by_side() -> None:
    spent = Spending.of([line("dollars", MILLION), line("yuan", MILLION)] * 2, PRICES)
    assert spent.costs == {"USD": Money(Decimal(2), "USD"), "CNY": Money(Decimal(14), "CNY")}
    assert spent.usage == Usage(3_600_000, 400_000)
    assert "cost: 2.00 USD; 14.00 CNY" in str(spent)


def test_an_unknown_price_is_told_and_not_added_as_zero() -> None:
    spent = Spending.of([line("mine", MILLION)] * 3 + [line("dollars", MILLION)], PRICES)
    assert spent.unpriced == {"mine": 3_000_000}
    assert "cost: 1.00 USD; unknown for mine (3,000,000 tokens)" in str(spent)
    alone = str(Spending.of([line("mine", MILLION)], PRICES))
    assert "0.00" not in alone
    assert "unknown for mine" in alone


def test_a_free_model_costs_zero_which_is_known() -> None:
    assert "cost: 0.00 USD" in str(Spending.of([line("free", MILLION)], PRICES))


def test_tokens_of_batches_have_their_own_price() -> None:
    both = line("dollars", MILLION, requests=2, batch_usage=MILLION)
    spent = Spending.of([both], PRICES)
    assert spent.in_currency("USD") == Money(Decimal("1.5"), "USD")
    assert spent.batch_usage == Usage(900_000, 100_000)
    assert "1,000,000 of all went through batches" in str(spent)


def test_lines_without_reported_tokens_are_counted() -> None:
    asked, copied = line("dollars", None, requests=3), line("dollars", None, requests=0)
    spent = Spending.of([asked, copied, line("dollars", Usage().to_dict(), requests=0)], PRICES)
    assert spent.unreported == 1
    assert spent.requests == 3
    assert "no tokens for 1 line: its cost is unknown" in str(spent)
    assert "cost:" not in str(spent)  # nothing is known of it
    assert "prompt tokens" not in str(spent)  # 0 would look like a number that was told


def test_a_copy_of_another_texts_line_costs_nothing() -> None:
    copy = line("dollars", Usage().to_dict(), requests=0, batch_usage=MILLION)
    spent = Spending.of([line("dollars", MILLION), copy], PRICES)
    assert spent.in_currency("USD") == Money(Decimal(1), "USD")
    assert spent.usage.tokens == 1_000_000


def test_of_nothing() -> None:
    spent = Spending.of([], PRICES)
    assert str(spent) == "0 requests"
    assert spent.in_currency("USD") == Money(Decimal(0), "USD")
