"""Annotation with an assistant LLM: from questions and answers to checked causal signals.

The assistant is asked through any OpenAI-compatible endpoint what each answer is determined by;
what it says is checked against the text, and kept as the signals that :mod:`cat.signals` reads.
"""

from cat.annotate.annotator import annotate
from cat.annotate.asking.asker import Patience
from cat.annotate.asking.endpoint import Endpoint
from cat.annotate.checking import CheckReport, check
from cat.annotate.cost.budget import Budget
from cat.annotate.cost.money import Prices, Usage
from cat.annotate.instructions import INSTRUCTIONS, Instructions, read_instructions
from cat.annotate.journal import Journal
from cat.annotate.results import AnnotationResult, AnnotationStopped
from cat.annotate.texts import Text, Texts, as_texts, read_texts

__all__ = [
    "INSTRUCTIONS",
    "AnnotationResult",
    "AnnotationStopped",
    "Budget",
    "CheckReport",
    "Endpoint",
    "Instructions",
    "Journal",
    "Patience",
    "Prices",
    "Text",
    "Texts",
    "Usage",
    "annotate",
    "as_texts",
    "check",
    "read_instructions",
    "read_texts",
]
