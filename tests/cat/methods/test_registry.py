"""`cat.methods`: every method by its name, and what all have in common."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from itertools import cycle
from typing import Any, get_args

import pytest

from cat.methods import METHODS, make_method
from cat.reattention import Form, Reduction
from tests.cat.methods.kit import tuning
from tests.cat.trainings import stg

pytestmark = pytest.mark.usefixtures("one_torch_thread", "no_training_goes_on")

NEEDED: dict[str, dict[str, Any]] = {"cat": {"alpha": 10.0}}


@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_name_source_and_options_for_a_file(name: str) -> None:
    method = make_method(name, **NEEDED.get(name, {}))
    assert METHODS[name] is type(method)
    assert method.name == name
    assert len(method.source) > 10
    assert is_dataclass(method)
    options = {field.name: getattr(method, field.name) for field in fields(method)}
    again = make_method(name, **json.loads(json.dumps(options)))
    assert {n: getattr(again, n) for n in options} == options


@pytest.mark.parametrize("name", ["plain", "cat", "causal-only"])  # the others': in their own files
def test_a_method_trains_and_answers(name: str) -> None:
    run = tuning(stg("train_S", 16), num_train_epochs=1)
    method = make_method(name, **NEEDED.get(name, {}))
    model = method.fit(run)
    assert not model.training
    assert len(run.records) == run.steps == 1
    evaluation = method.evaluate(model, run.tokenizer, stg("test_ood", 4))
    assert evaluation.targets == tuple(example.answer for example in stg("test_ood", 4))


@pytest.mark.parametrize(
    ("form", "reduction"), list(zip(get_args(Form), cycle(get_args(Reduction)), strict=False))
)
def test_cat_in_all_its_forms(form: str, reduction: str) -> None:
    run = tuning(stg("train_S", 16), num_train_epochs=1)
    make_method("cat", alpha=5, form=form, reduction=reduction, gamma="0.5").fit(run)
    (record,) = run.records
    assert record.attn_loss is not None
    assert record.attn_loss != 0
    assert record.gamma == 0.5
    assert record.loss == pytest.approx(record.lm_loss + 0.5 * record.attn_loss, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("CDA", {}, "expected a method of plain, cat, .*, got 'CDA'"),
        ("cda", {"weight": 1}, "method 'cda' has no option 'weight': expected copies"),
        ("causal-only", {"copies": 1}, "has no option 'copies': expected none"),
        ("cat", {}, "method 'cat' needs the option 'alpha'"),
    ],
)
def test_what_is_not_there(name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make_method(name, **options)
