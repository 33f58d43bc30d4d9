"""One page about what a model reads in a text: every head, by role, and what it does.

catviz report tiny/alpha-10                                   # a text of the game
catviz report smollm2 "Tom smokes 8 packs. His risk is" --causal "8 packs"
catviz report tiny/alpha-10 --before tiny/plain               # what tuning changed
catviz report runs/my-model texts.jsonl                       # the first text, and all of them
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cat.console import quiet_libraries
from cat.provenance import provenance
from cat.signals import Example, read_examples
from cat.stg import annotate, read_factors
from catviz.figures import (
    attention_change,
    attention_density,
    attention_map,
    effect_table,
    head_grid,
    head_map,
    text_strip,
)
from catviz.heads import rank_by_change, rank_by_mass
from catviz.lens import AttentionLens
from catviz.patterns import AttentionPattern
from catviz.report import Section, Table, write_report
from catviz.roles import Roles, mark_roles
from catviz.viewer import viewer_fragment, viewer_script
from catviz.words import ROLES, Role

if TYPE_CHECKING:
    from catviz.effects.comparison import Comparison

__all__ = ["look", "read_texts"]

_FIGURE_TOKENS = 400  # above, a map with a label a word is a grey square
_FEWEST_TEXTS = 20  # that a density is drawn from
_MOST_TEXTS = 400
_ASKED_TEXTS = 40  # whose factors are set, two values each
_MOST_ANSWERS = 10  # STG_H has 101
_HEADS_TOLD = 5


@dataclass(frozen=True)
class _Seen:
    """A model and what it pays attention to, perhaps before tuning as well."""

    lens: AttentionLens
    pattern: AttentionPattern
    before: tuple[AttentionLens, AttentionPattern] | None

    @property
    def sides(self) -> list[tuple[AttentionLens, AttentionPattern]]:
        """Before, where there is one, then the model itself."""
        own = (self.lens, self.pattern)
        return [own] if self.before is None else [self.before, own]

    @property
    def patterns(self) -> list[AttentionPattern]:
        return [pattern for _, pattern in self.sides]

    @property
    def has_roles(self) -> bool:
        return set(self.pattern.roles) != {"other"}


def look(
    model: str,
    text: str | None = None,
    *,
    before: str | None = None,
    roles: Roles | None = None,
    out: str | Path = "outputs/look.html",
    say: Callable[[str], None] = print,
) -> Path:
    """Write one page about a model and a text; it needs no network. Returns its path.

    Args:
        model: a name or path, see :func:`cat.models.load_model`.
        text: the text itself, a ``.txt`` file, or a ``.jsonl`` file of examples, of which the first
            is looked at head by head; None for the game's texts.
        before: a model to compare with, of the same tokenizer: what was there before tuning.
        roles: what has which role in the text; None for what the text or its file says.

    Raises:
        ValueError: an unknown model, an empty text, a role that names nothing, two models that
            split the text into different tokens.
    """
    quiet_libraries()
    examples = read_texts(text)
    first = mark_roles(examples[0], roles)
    say(f"loading {model}" + (f" and {before}" if before else ""))
    lens = AttentionLens.load(model)
    seen = _Seen(
        lens=lens,
        pattern=lens.attention(first, label=_title(first.prompt)),
        before=None if before is None else _read_before(before, first),
    )
    say(f"{lens}: {seen.pattern.size} tokens; drawing")
    sections = [_every_head(seen), _answer_row(seen)]
    if seen.has_roles:
        sections.append(_heads_by_role(seen))
    if seen.pattern.size <= _FIGURE_TOKENS:
        sections.append(_mean_maps(seen))
    if roles is None:
        scorable = [e for e in map(mark_roles, examples) if e.roles and e.answer][:_MOST_TEXTS]
        if len(scorable) >= _FEWEST_TEXTS:
            sections.append(_many_texts(seen, scorable))
        if _has_few_answers(first):
            sections.append(_effects(seen, examples[:_ASKED_TEXTS]))
    path = write_report(
        out,
        title=f"What {model} reads",
        lead=_title(first.prompt, 300),
        sections=sections,
        settings={
            "model": model,
            "before": before or "none",
            "text": first.prompt[:2000],
            "layers x heads": f"{lens.n_layers} x {lens.n_heads}",
            **provenance(),
        },
    )
    say(f"page: {path}")
    return path


def read_texts(source: str | None) -> list[Example]:
    """The examples that a text, a ``.txt`` or ``.jsonl`` file, or None (the game) stands for."""
    if source is None:
        from cat.data import load_data

        return load_data("stg-e")["test_ood"]
    is_file = "\n" not in source and len(source) < 1000 and Path(source).suffix in _SUFFIXES
    if not is_file:
        return [annotate(Example(source, ""))]
    path = Path(source)
    if path.suffix == ".jsonl":
        return [annotate(example) for example in read_examples(path)]
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; a text itself needs no file, only quotes")
    return [annotate(Example(path.read_text(encoding="utf-8"), ""))]


_SUFFIXES = (".txt", ".jsonl")


def _read_before(name: str, example: Example) -> tuple[AttentionLens, AttentionPattern]:
    lens = AttentionLens.load(name)
    return lens, lens.attention(example, label=_title(example.prompt))


# ---------------------------------------------------------------------------- the sections


def _every_head(seen: _Seen) -> Section:
    static = head_grid(seen.pattern)
    if seen.before is None:
        viewer = viewer_fragment(seen.pattern, static=static)
    else:
        viewer = viewer_fragment(seen.before[1], after=seen.pattern, static=static)
    return Section(
        "Every head",
        "Each small square is one head on this text: a row for the token that looks, a column for "
        "the token looked at. Open one by a click or with Enter; point at a cell for its value.",
        fragment=f"{viewer}\n{viewer_script()}",
    )


def _answer_row(seen: _Seen) -> Section:
    return Section(
        "What the next word is read from",
        "The text, each token shaded by the attention that the row which predicts the answer pays "
        "to it: mean over all layers and heads.",
        [text_strip([pattern.mean() for pattern in seen.patterns])],
        table=_mass_table(seen) if seen.has_roles else None,
    )


def _mass_table(seen: _Seen) -> Table:
    there = [role for role in ROLES if role in seen.pattern.roles]
    rows = []
    for pattern in seen.patterns:
        mass = pattern.role_mass().mean(axis=(0, 1))
        rows.append([pattern.model, *(f"{100 * mass[ROLES.index(role)]:.1f}" for role in there)])
    return Table(
        caption="Share of the row's attention by role, in percent.",
        header=("", *there),
        groups={"": rows},
    )


def _heads_by_role(seen: _Seen) -> Section:
    role: Role = "causal" if "causal" in seen.pattern.roles else _first_role(seen.pattern)
    figures = [head_map(seen.patterns, by=role)]
    if {"causal", "spurious"} <= set(seen.pattern.roles):
        figures.append(head_map(seen.patterns, by="lift"))
    best = ", ".join(map(repr, rank_by_mass(seen.pattern, role)[:_HEADS_TOLD]))
    said = f"Most attention on {role} words, as a share: {best}."
    if seen.before is not None:
        moved = rank_by_change(seen.before[1], seen.pattern)[:_HEADS_TOLD]
        said += (
            f"\n\nMost moved since {seen.before[0].name}, as the share of attention that went "
            f"elsewhere: {', '.join(map(repr, moved))}."
        )
    return Section("Which heads read what", said, figures)


def _first_role(pattern: AttentionPattern) -> Role:
    return next(role for role in ROLES if role in pattern.roles)


def _mean_maps(seen: _Seen) -> Section:
    if seen.before is None:
        figure = attention_map([seen.pattern.mean()])
    else:
        figure = attention_change(seen.before[1], seen.pattern)
    return Section(
        "The mean map",
        "All heads together: the map that Causal Attention Tuning supervises (section 4.2 of the "
        "paper).",
        [figure],
    )


def _many_texts(seen: _Seen, examples: Sequence[Example]) -> Section:
    from catviz.density import role_scores

    scores: dict[str, Any] = {
        lens.name: role_scores(lens.model, lens.tokenizer, examples, progress=lens.name)
        for lens, _ in seen.sides
    }
    return Section(
        f"The same in {len(examples)} texts",
        "How much attention the row that predicts the answer gives to each word, by role (the "
        "paper's Figure 3).",
        [attention_density(scores)],
    )


def _has_few_answers(example: Example) -> bool:
    """Whether the text is of a game whose answers can all be asked about in a moment."""
    from catviz.effects.answers import GAME_ANSWERS

    read = read_factors(example.prompt)
    return (
        read is not None
        and bool(example.answer)
        and len(GAME_ANSWERS[read[0].name]) <= _MOST_ANSWERS
    )


def _effects(seen: _Seen, examples: Sequence[Example]) -> Section:
    from catviz.effects import ablate_roles, average_effects

    effects = [
        effect
        for lens, _ in seen.sides
        for effect in average_effects(lens, examples, progress=f"{lens.name}: effects")
    ]
    text = (
        "Attention shows where a model looks, an effect what its answer depends on. Each factor is "
        "set to the low and to the high end of its range while all others stay (the game's own "
        "do-operator); beside the model's answer stands the rule's."
    )
    return Section(
        "What the answer depends on",
        text,
        [effect_table([effect.to_dict() for effect in effects], unit=effects[0].unit)],
        table=_ablation_table(
            {lens.name: ablate_roles(lens, examples) for lens, _ in seen.sides}, len(examples)
        ),
    )


def _ablation_table(found: Mapping[str, Mapping[Role, Comparison]], texts: int) -> Table:
    groups = {
        model: [
            ["as it is", f"{100 * next(iter(by_role.values())).accuracy_before:.1f}", ""],
            *(
                [
                    f"no attention to {role} words",
                    f"{100 * one.accuracy_after:.1f}",
                    f"{one.change.mean:+.2f}",
                ]
                for role, one in by_role.items()
            ),
        ]
        for model, by_role in found.items()
    }
    return Table(
        caption=f"Without attention to the words of a role, {texts} texts: accuracy in percent, "
        "and the change in the log-odds of the right answer.",
        header=("", "accuracy", "log-odds"),
        groups=groups,
    )


def _title(text: str, length: int = 60) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
