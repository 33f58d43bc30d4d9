"""What a run will cost, told before it."""

from __future__ import annotations

from decimal import Decimal

from cat.annotate.cost.estimate import Request, estimate
from cat.annotate.cost.money import Money, Price, Prices, Usage, cost

PRICE = Price("m", Decimal(1), Decimal(3), "USD", "2026-01-01", "a page")
MESSAGES = [{"role": "system", "content": "s" * 700}, {"role": "user", "content": "t" * 350}]
REQUESTS = [Request(MESSAGES, source_bytes=350)] * 10


def test_the_paper_is_estimated_by_the_same_function() -> None:
    """Ten texts whose endpoint reported the paper's mean tokens, and whose own are as the
    paper's."""
    earlier = [Usage(570, 164)] * 9 + [Usage(570, 163)]  # 163.9 in the mean
    texts = [Request([{"content": "x"}], source_bytes=589)] * 10  # 168.3 tokens
    for model, told in (("gpt-4o", "18.2"), ("glm-4-air", "1.09")):
        price = Prices.load()[model]
        made = estimate(texts, price, max_completion_tokens=1024, earlier=earlier)
        assert made.expected == Usage(5700, 1639)
        assert made.cost == cost(Usage(5700, 1639), price)
        assert str(made.cost_per_million).startswith(told)


def test_without_earlier_texts_bytes_and_the_papers_reply_are_the_guide() -> None:
    made = estimate(REQUESTS, PRICE, max_completion_tokens=1000)
    assert made.requests == 10
    assert made.expected == Usage(10 * 300, 10 * 164)
    assert made.source_tokens == 10 * 100
    assert made.cost == Money(Decimal("0.00792"), "USD")
    assert made.most == Usage(10 * (1050 + 2 * 16 + 64), 10 * 1000)
    assert "second requests come on top" in str(made)


def test_what_earlier_texts_took_is_the_better_guide() -> None:
    earlier = [Usage(500, 100, cached_tokens=200), Usage(700, 300)]
    made = estimate(REQUESTS, PRICE, max_completion_tokens=1000, earlier=earlier)
    assert made.expected == Usage(6000, 2000, cached_tokens=1000)
    assert "reported for 2 texts before" in str(made)


def test_a_reply_is_not_expected_longer_than_it_may_be() -> None:
    assert estimate(REQUESTS, PRICE, max_completion_tokens=50).expected.completion_tokens == 500


def test_the_response_schema_counts() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "x" * 350}}
    plain = estimate(REQUESTS, PRICE, max_completion_tokens=50)
    made = estimate(REQUESTS, PRICE, max_completion_tokens=50, response_format=schema)
    assert made.expected.prompt_tokens >= plain.expected.prompt_tokens + 10 * 100
    assert made.most.prompt_tokens >= plain.most.prompt_tokens + 10 * 350


def test_an_unknown_price_is_told_as_unknown() -> None:
    made = estimate(REQUESTS, None, max_completion_tokens=1000)
    assert made.cost is made.most_cost is made.cost_per_million is None
    assert str(made).count("cost unknown") == 2
    assert "0.00" not in str(made)


def test_nothing_to_ask_costs_nothing() -> None:
    made = estimate([], PRICE, max_completion_tokens=1000, earlier=[Usage(5, 5)])
    assert (made.requests, made.expected, made.most) == (0, Usage(), Usage())
    assert made.cost == Money(Decimal(0), "USD")
    assert made.cost_per_million is None


def test_a_batch_is_estimated_at_its_price() -> None:
    price = Price("m", Decimal(1), Decimal(3), "USD", "2026", "a page", batch_factor=Decimal("0.5"))
    whole, half = (
        estimate(REQUESTS, price, max_completion_tokens=100, batch=batch) for batch in (0, 1)
    )
    for name in ("cost", "most_cost", "cost_per_million"):
        assert getattr(whole, name).amount == 2 * getattr(half, name).amount
