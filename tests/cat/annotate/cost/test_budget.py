"""The limit is never passed, whatever is in flight."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal

import pytest

from cat.annotate.cost.budget import Budget, BudgetSpent, Reservation
from cat.annotate.cost.money import Money, Price, Usage, cost
from cat.annotate.cost.tokens import prompt_token_bound

PRICE = Price("m", Decimal(1), Decimal(3), "USD", "2026-01-01", "a page")
MESSAGES = [{"role": "user", "content": "How many apples has she? " * 10}]
MOST = cost(Usage(prompt_token_bound(MESSAGES), 100), PRICE)
assert MOST is not None


def reserve(budget: Budget) -> Reservation | None:
    return budget.try_reserve(MESSAGES, max_completion_tokens=100)


def limit(requests: float) -> Decimal:
    return MOST.amount * Decimal(str(requests))


@pytest.mark.parametrize("seed", range(5))
def test_64_in_flight_never_pass_the_limit(seed: int) -> None:
    """Requests that end in any order, some without a usage, some refused, until nothing fits."""
    chance = random.Random(seed)
    budget = Budget(limit(80.5), PRICE)
    billed = [Money(Decimal(0), "USD")]
    sent = refused = unreported = 0

    async def ask() -> None:
        nonlocal sent, refused, unreported
        while True:
            held = await budget.reserve(MESSAGES, max_completion_tokens=100)
            sent += 1
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(0)
            most = prompt_token_bound(MESSAGES)
            usage = Usage(chance.randint(most // 4, most), chance.randint(1, 100))
            what = chance.random()
            if what < 0.1:
                held.release()
                refused += 1
                continue
            amount = cost(usage, PRICE)
            assert amount is not None
            billed[0] += amount
            assert billed[0] <= budget.limit
            if what < 0.3:
                held.settle(None)
                unreported += 1
            else:
                held.settle(usage)

    async def run() -> None:
        workers = (ask() for _ in range(64))
        ends = await asyncio.gather(*workers, return_exceptions=True)
        assert [type(end) for end in ends] == [BudgetSpent] * 64

    asyncio.run(run())
    assert billed[0] <= budget.spent <= budget.limit
    assert budget.limit - budget.spent < MOST  # no place for one more: nothing was left unused
    assert sent - refused > 80  # settling freed what was held too much
    assert budget.unreported == unreported > 0


def test_a_reservation_waits_for_those_in_flight_before_it_gives_up() -> None:
    budget = Budget(limit(1.5), PRICE)

    async def run() -> list[str]:
        told = []
        first = await budget.reserve(MESSAGES, max_completion_tokens=100)

        async def second() -> None:
            held = await budget.reserve(MESSAGES, max_completion_tokens=100)
            told.append("second fits")
            held.settle(None)

        waiting = asyncio.create_task(second())
        await asyncio.sleep(0)
        told.append("first ends")
        first.settle(Usage(10, 1))
        await waiting
        with pytest.raises(BudgetSpent, match="a request was not sent"):
            await budget.reserve(MESSAGES, max_completion_tokens=100)
        return told

    assert asyncio.run(run()) == ["first ends", "second fits"]


def test_without_a_reported_usage_the_whole_reservation_stays_spent() -> None:
    budget = Budget(limit(1.5), PRICE)
    held = reserve(budget)
    assert held is not None
    held.settle(None)
    assert budget.spent == MOST
    assert budget.unreported == 1
    assert reserve(budget) is None


def test_a_refused_request_costs_nothing() -> None:
    budget = Budget(limit(1), PRICE)
    held = reserve(budget)
    assert held is not None
    assert reserve(budget) is None
    held.release()
    assert budget.spent == Money(Decimal(0), "USD")
    assert reserve(budget) is not None


def test_a_reservation_ends_once() -> None:
    held = reserve(Budget(limit(2), PRICE))
    assert held is not None
    held.settle(None)
    with pytest.raises(RuntimeError, match="end once"):
        held.settle(None)
    with pytest.raises(RuntimeError, match="end once"):
        held.release()


def test_what_was_spent_before_counts() -> None:
    budget = Budget(limit(2.5), PRICE, spent=Money(limit(2), "USD"))
    assert reserve(budget) is None
    with pytest.raises(ValueError, match="in one currency"):
        Budget(limit(1), PRICE, spent=Money(Decimal(1), "CNY"))


def test_an_endpoint_that_counts_more_than_the_bound_makes_the_next_reservations_larger() -> None:
    budget = Budget(limit(10), PRICE)
    held = reserve(budget)
    assert held is not None
    held.settle(Usage(2 * prompt_token_bound(MESSAGES), 200))
    again = reserve(budget)
    assert again is not None
    assert again.amount == Money(2 * MOST.amount, "USD")


def test_a_batch_reserves_at_its_own_price() -> None:
    half = Price("m", Decimal(1), Decimal(3), "USD", "2026", "a page", batch_factor=Decimal("0.5"))
    held = reserve(Budget(limit(1), half, batch=True))
    assert held is not None
    assert held.amount == Money(MOST.amount / 2, "USD")


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity"])
def test_impossible_limits_are_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="expected a limit > 0"):
        Budget(Decimal(amount), PRICE)


def test_a_model_that_is_free_never_meets_the_limit() -> None:
    free = Price("m", Decimal(0), Decimal(0), "USD", "2026-01-01", "my own machine")
    budget = Budget(Decimal("0.01"), free)
    held = [reserve(budget) for _ in range(100)]
    assert None not in held


def test_the_bound_on_a_prompts_tokens_holds_for_a_real_tokenizer() -> None:
    """The game's own tokenizer counts words, so a byte-level one is made here, without merges:
    the worst there is."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    vocabulary = {letter: n for n, letter in enumerate(sorted(alphabet))}
    worst = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    worst.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    for piece in ("How many?", "5,000 × ½ – “naïve”", "三个苹果", "👩‍👩‍👧", " \n\t "):
        text = piece * 100
        n = len(worst.encode(text).ids)
        assert n == len(text.encode())  # the bound is reached, but for the template
        assert n < prompt_token_bound([{"role": "user", "content": text}])
