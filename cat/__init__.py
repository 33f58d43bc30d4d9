"""Causal Attention Tuning: teach a language model to look at the causes.

The parts, in the order in which one meets them: :mod:`cat.stg` (the game), :mod:`cat.signals` and
:mod:`cat.alignment` (which tokens cause which), :mod:`cat.reattention` (the loss), :mod:`cat.rows`
(the attention rows that it reads), :mod:`cat.models`, :mod:`cat.trainer`, :mod:`cat.evaluate`.
Importing this package imports none of them, so that it costs nothing.
"""

__version__ = "0.1.0"
