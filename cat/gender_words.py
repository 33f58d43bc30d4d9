"""English words for measuring gender bias, and for taking it out: see :mod:`cat.embedding_bias`.

>>> sorted(GENDER_TESTS)[:2]
['careers by first names', 'careers by gender words']
>>> GENDER_TESTS["sciences by gender words"].a[:3]
('he', 'him', 'man')
"""

from __future__ import annotations

from collections.abc import Mapping

from cat.embedding_bias import Pairs, WordSets

__all__ = ["FIRST_NAMES", "GENDER_PAIRS", "GENDER_TESTS"]


def _words(line: str) -> tuple[str, ...]:
    return tuple(line.split())


GENDER_PAIRS: Pairs = (
    ("he", "she"),
    ("him", "her"),
    ("man", "woman"),
    ("men", "women"),
    ("boy", "girl"),
    ("father", "mother"),
    ("son", "daughter"),
    ("brother", "sister"),
    ("husband", "wife"),
    ("uncle", "aunt"),
    ("king", "queen"),
    ("male", "female"),
)
"""Words that differ in gender by definition, the male one first."""

FIRST_NAMES = (
    _words("James Robert David Mark Peter Paul Kevin Steve Greg Bill Thomas George"),
    _words("Mary Anna Emma Susan Helen Jane Lisa Sarah Diana Kate Alice Laura"),
)
"""Men's and women's names: they have no part in the direction between the pairs."""

_TARGETS = {
    "occupations": (
        _words(
            "engineer mechanic pilot soldier carpenter farmer captain lawyer surgeon programmer"
        ),
        _words(
            "nurse secretary librarian dancer teacher maid hairdresser nanny receptionist "
            "housekeeper"
        ),
    ),
    "careers": (
        _words("career salary office business manager company boss contract employer promotion"),
        _words("family home parents children marriage wedding relatives baby kitchen household"),
    ),
    "sciences": (
        _words("science technology physics chemistry experiment astronomy engineering mathematics"),
        _words("poetry art dance literature novel symphony drama sculpture"),
    ),
}
_ATTRIBUTES = {
    "gender words": (tuple(m for m, _ in GENDER_PAIRS), tuple(f for _, f in GENDER_PAIRS)),
    "first names": FIRST_NAMES,
}

GENDER_TESTS: Mapping[str, WordSets] = {
    f"{targets} by {attributes}": WordSets(*_TARGETS[targets], *_ATTRIBUTES[attributes])
    for attributes in _ATTRIBUTES
    for targets in _TARGETS
}
"""Stereotypes that Caliskan et al. 2017 and Bolukbasi et al. 2016 found in word vectors, in words
of ours: occupations of men and women, career and family, science and art."""
