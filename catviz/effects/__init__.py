"""What the answer depends on: factors set from outside, heads and roles taken out, steering.

Attention shows where a model looks, an effect shows whether it matters.

>>> from catviz.effects import ablate_roles, average_effects, steer
>>> average_effects(lens, texts)  # do(factor = value), beside the true effect  # doctest: +SKIP
>>> ablate_roles(lens, texts)  # without attention to a role's words  # doctest: +SKIP
>>> steer(lens, texts, alpha=10)  # causes favoured at inference  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

from catviz.lazy import load_lazily

if TYPE_CHECKING:
    from catviz.effects.ablation import ablate_heads, ablate_layers, ablate_roles, without_role
    from catviz.effects.answers import AnswerScores
    from catviz.effects.comparison import Comparison, compare_edits
    from catviz.effects.edits import in_turn, without_head, without_keys, without_layer
    from catviz.effects.interventions import Effect, average_effects, dose_response
    from catviz.effects.plain import PlainModel
    from catviz.effects.questions import Questions, score_answers
    from catviz.effects.steering import favour, steer, steered

__all__ = [
    "AnswerScores",
    "Comparison",
    "Effect",
    "PlainModel",
    "Questions",
    "ablate_heads",
    "ablate_layers",
    "ablate_roles",
    "average_effects",
    "compare_edits",
    "dose_response",
    "favour",
    "in_turn",
    "score_answers",
    "steer",
    "steered",
    "without_head",
    "without_keys",
    "without_layer",
    "without_role",
]

_HOME = {
    "AnswerScores": "answers",
    "Comparison": "comparison",
    "Effect": "interventions",
    "PlainModel": "plain",
    "Questions": "questions",
    "ablate_heads": "ablation",
    "ablate_layers": "ablation",
    "ablate_roles": "ablation",
    "average_effects": "interventions",
    "compare_edits": "comparison",
    "dose_response": "interventions",
    "favour": "steering",
    "in_turn": "edits",
    "score_answers": "questions",
    "steer": "steering",
    "steered": "steering",
    "without_head": "edits",
    "without_keys": "edits",
    "without_layer": "edits",
    "without_role": "ablation",
}

__getattr__, __dir__ = load_lazily(__name__, _HOME)
