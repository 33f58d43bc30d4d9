"""A list of models, and a field for others."""

from __future__ import annotations

from cat.models import model_names
from catviz.widgets.explorer.model_choice import ModelChoice


def test_names_of_the_list() -> None:
    choice = ModelChoice("Model", "tiny/plain", optional=True)
    values = [value for _, value in choice.list.options]
    assert values == ["", *model_names(), None]
    choice.list.value = "tiny/alpha-2"
    assert choice.name == "tiny/alpha-2"
    choice.list.value = ""
    assert choice.name == ""
    assert choice.other.layout.display == "none"


def test_any_other_name() -> None:
    choice = ModelChoice("Model", "tiny/plain")
    names: list[str] = []
    choice.observe(lambda change: names.append(change["new"]), names="name")
    choice.list.value = None
    assert choice.other.layout.display != "none"
    assert names == []  # something must be typed first
    choice.other.value = "  runs/mine "
    choice.list.value = "tiny/plain"
    choice.list.value = None
    assert names == ["runs/mine", "tiny/plain", "runs/mine"]


def test_the_controls_follow_the_name() -> None:
    choice = ModelChoice("Model", "runs/mine")
    assert (choice.list.value, choice.other.value) == (None, "runs/mine")
    choice.name = "tiny"
    assert choice.list.value == "tiny"
    choice.name = "runs/other"
    assert (choice.list.value, choice.other.value) == (None, "runs/other")
    assert choice.name == "runs/other"
