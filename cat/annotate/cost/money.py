"""Tokens and what they cost: usage as the endpoint reports it, prices with date and currency.

All sums are :class:`decimal.Decimal`. A price such as 0.1 has no exact float: a float total over a
hundred thousand texts depends on the order of the lines, and a limit compared with it can be passed
by a rounding. An unknown price is None, never zero, and currencies are never mixed.

>>> prices = Prices.load()
>>> cost(Usage(570_000, 163_900), prices["gpt-4o"])
Money(amount=Decimal('3.064'), currency='USD')
>>> print(cost(Usage(570, 164), prices["glm-4-air"]))
0.0001835 CNY
>>> cost(Usage(570, 164), prices.find("my-own-model")) is None
True
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date as Date
from decimal import Decimal, InvalidOperation
from importlib import resources
from pathlib import Path
from typing import Any

__all__ = [
    "Money",
    "Price",
    "Prices",
    "Usage",
    "cost",
    "cost_per_million_source_tokens",
]

MILLION = 1_000_000


@dataclass(frozen=True)
class Usage:
    """Tokens of one request or of many, as the endpoint reports them.

    Attributes:
        prompt_tokens: all tokens of the prompt, those read from the provider's cache too.
        completion_tokens: all tokens of the reply, hidden reasoning too.
        cached_tokens: those of the prompt's that came from the provider's cache.

    >>> Usage(500, 120) + Usage(510, 90, cached_tokens=400)
    Usage(prompt_tokens=1010, completion_tokens=210, cached_tokens=400)
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0

    def __post_init__(self) -> None:
        counts = (self.prompt_tokens, self.completion_tokens, self.cached_tokens)
        if any(not isinstance(count, int) or isinstance(count, bool) for count in counts):
            raise ValueError(f"expected whole numbers of tokens, got {counts}")
        if min(counts) < 0 or self.cached_tokens > self.prompt_tokens:
            raise ValueError(
                "expected token counts >= 0 and no more cached tokens than prompt tokens, got "
                f"prompt {counts[0]}, completion {counts[1]}, cached {counts[2]}"
            )

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
        )

    @property
    def tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    def to_dict(self) -> dict[str, int]:
        """As the journal keeps it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls, counts: Mapping[str, Any] | None) -> Usage | None:
        """From a line of the journal; None where the endpoint reported nothing."""
        if counts is None:
            return None
        return cls(**{field.name: counts.get(field.name) or 0 for field in fields(cls)})


@dataclass(frozen=True)
class Money:
    """An amount in one currency, exact.

    >>> Money(Decimal("2.50"), "USD") + Money(Decimal("0.10"), "USD")
    Money(amount=Decimal('2.60'), currency='USD')
    >>> Money(Decimal(1), "USD") + Money(Decimal(1), "CNY")
    Traceback (most recent call last):
    ...
    ValueError: expected two amounts in one currency, got USD and CNY: add up each by itself
    """

    amount: Decimal
    currency: str

    def __add__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(self.amount - other.amount, self.currency)

    def __le__(self, other: Money) -> bool:
        self._same_currency(other)
        return self.amount <= other.amount

    def __lt__(self, other: Money) -> bool:
        self._same_currency(other)
        return self.amount < other.amount

    def _same_currency(self, other: Money) -> None:
        if self.currency != other.currency:
            raise ValueError(
                f"expected two amounts in one currency, got {self.currency} and {other.currency}: "
                "add up each by itself"
            )

    def __str__(self) -> str:
        """Two decimals, or as many as show four figures of a smaller amount."""
        digits = 2 if abs(self.amount) >= 1 or not self.amount else 3 - self.amount.adjusted()
        return f"{self.amount:.{digits}f} {self.currency}"


@dataclass(frozen=True)
class Price:
    """What a provider asks for a million tokens of a model.

    Attributes:
        input: a million prompt tokens.
        output: a million completion tokens.
        cached_input: a million prompt tokens from the provider's cache; None counts them at
            ``input``, which is never too little.
        batch_factor: the share of these prices that a batch costs; None counts a batch at the full
            price, which is never too little.
        date: when the price was stated.
        source: by whom.
    """

    model: str
    input: Decimal
    output: Decimal
    currency: str
    date: str
    source: str
    cached_input: Decimal | None = None
    batch_factor: Decimal | None = None

    def __str__(self) -> str:
        return (
            f"{self.input} / {self.output} {self.currency} per million input / output tokens "
            f"({self.source}, {self.date})"
        )


@dataclass(frozen=True)
class Prices(Mapping[str, Price]):
    """Prices by the model's exact name: gpt-4o and a dated gpt-4o may cost different amounts."""

    by_model: Mapping[str, Price]
    path: str

    @classmethod
    def load(cls, path: str | Path | None = None) -> Prices:
        """The package's prices, or those of one's own YAML file (which replaces them).

        The file maps a model's name, as in ``--model``, to its price::

            my-model:
              input: 0.50          # a million prompt tokens
              output: 1.50         # a million completion tokens
              cached_input: 0.25   # may be left out, as may batch_factor
              batch_factor: 0.5
              currency: USD
              date: 2026-11-21
              source: the provider's price page

        Raises:
            FileNotFoundError: no such file.
            ValueError: not such a file; says which model and field.
        """
        import yaml

        file: Any = Path(path) if path is not None else resources.files(__package__) / "prices.yaml"
        if path is not None and not file.is_file():
            raise FileNotFoundError(f"{path}: no such file of prices")
        try:
            # BaseLoader keeps a number as it is written: 0.10 never becomes a float.
            table = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ValueError(f"{file}: expected a YAML file of prices, got: {error}") from error
        if not isinstance(table, dict):
            raise ValueError(
                f"{file}: expected model names with their prices, got {type(table).__name__}"
            )
        where = str(path) if path is not None else "the package's price table"
        return cls({model: _price(model, entry, where) for model, entry in table.items()}, where)

    def find(self, model: str) -> Price | None:
        """The price of a model; None where it is unknown."""
        return self.by_model.get(model)

    def __getitem__(self, model: str) -> Price:
        return self.by_model[model]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_model)

    def __len__(self) -> int:
        return len(self.by_model)


REQUIRED = ("input", "output", "currency", "date", "source")
OPTIONAL = ("cached_input", "batch_factor")


def _price(model: str, entry: Any, where: str) -> Price:
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: {model}: expected {', '.join(REQUIRED)}, got {entry!r}")
    if missing := [name for name in REQUIRED if not entry.get(name)]:
        raise ValueError(
            f"{where}: {model}: expected the fields {', '.join(REQUIRED)}, there is no "
            f"{missing[0]!r}"
        )
    if unknown := sorted(set(entry) - {*REQUIRED, *OPTIONAL}):
        raise ValueError(
            f"{where}: {model}: expected {', '.join((*REQUIRED, *OPTIONAL))}, got {unknown[0]!r}"
        )
    amounts: dict[str, Any] = {
        name: _amount(entry[name], f"{where}: {model}: {name}")
        for name in ("input", "output", *OPTIONAL)
        if name in entry
    }
    if amounts.get("cached_input", Decimal(0)) > amounts["input"]:
        raise ValueError(f"{where}: {model}: expected cached_input <= input")
    if amounts.get("batch_factor", Decimal(0)) > 1:
        raise ValueError(
            f"{where}: {model}: expected a batch_factor of at most 1 (0.5 is half the price), got "
            f"{entry['batch_factor']}"
        )
    try:
        Date.fromisoformat(entry["date"])
    except ValueError:
        raise ValueError(
            f"{where}: {model}: expected a date as 2026-11-21, got {entry['date']!r}"
        ) from None
    told: dict[str, Any] = {name: str(entry[name]) for name in ("currency", "date", "source")}
    return Price(model, **told, **amounts)


def _amount(text: Any, where: str) -> Decimal:
    try:
        amount = Decimal(text)
    except (InvalidOperation, TypeError, ValueError):
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{where}: expected a number >= 0, got {text!r}")
    return amount


def cost(usage: Usage | None, price: Price | None, *, batch: bool = False) -> Money | None:
    """What a usage costs; None (unknown, not zero) without a usage or without a price.

    Args:
        batch: the tokens went through the provider's batch interface.
    """
    return None if usage is None or price is None else _cost(usage, price, batch=batch)


def _cost(usage: Usage, price: Price, *, batch: bool = False) -> Money:
    cached = price.input if price.cached_input is None else price.cached_input
    amount = (usage.prompt_tokens - usage.cached_tokens) * price.input
    amount += usage.cached_tokens * cached + usage.completion_tokens * price.output
    if batch and price.batch_factor is not None:
        amount *= price.batch_factor
    return Money(amount / MILLION, price.currency)


def cost_per_million_source_tokens(
    prompt_tokens: float,
    completion_tokens: float,
    source_tokens: float,
    price: Price,
    *,
    batch: bool = False,
) -> Money:
    """What annotating a million tokens of a data set costs, no prompt cached (paper, appendix D).

    Args:
        prompt_tokens: of a mean request: instructions, worked examples and the text.
        completion_tokens: of a mean reply.
        source_tokens: of a mean text of the data set. (The sums over all texts do as well.)
        batch: by the provider's batch interface.

    The paper's figures, from ten GSM8K texts:

    >>> prices = Prices.load()
    >>> for model in ("gpt-4o", "glm-4-air"):
    ...     print(cost_per_million_source_tokens(570.0, 163.9, 168.4, prices[model]))
    18.19 USD
    1.09 CNY
    """
    if source_tokens <= 0:
        raise ValueError(f"expected texts of more than 0 tokens, got {source_tokens}")
    texts = MILLION / source_tokens
    usage = Usage(round(texts * prompt_tokens), round(texts * completion_tokens))
    return _cost(usage, price, batch=batch)
