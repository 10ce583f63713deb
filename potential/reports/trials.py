# SPDX-License-Identifier: BSD-3-Clause
"""The trials of a search in words, numbers and tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from potential.scores.metrics import UNITS
from potential.validation.objectives import COST
from potential.validation.tuning import Trial, Tuning

_COST_UNIT = "µs/atom"
_MEANS = {
    "combined": "mean over labels of RMSE / level in [noise] at the start",
    "targets": "mean over targets of RMSE / RMSE of their means alone",
    COST: "CPU time of energy and forces on one thread",
}


def lead(tuning: Tuning) -> str:
    """What was done, in one sentence."""
    settings = tuning.settings
    found = [(word, _meaning(tuning, word)) for word in settings.objectives]
    value = f"value: {found[0][1]}"
    if len(found) > 1:
        value = "objectives: " + "; ".join(f"{word}, {meaning}" for word, meaning in found)
    text = f"{settings.folds}-fold cross-validation of {settings.file}; {value}"
    if tuning.cost_of:
        of, n = tuning.cost_of, len(tuning.cost_of["structures"])
        text += f", of {of['atoms']} atoms in {n} training structures, {of['processor']}"
    return text + ("; interrupted" if tuning.interrupted else "")


def table(tuning: Tuning) -> tuple[list[str], list[list[str]]]:
    """(head, rows): one row per trial, those of the front marked; trial 0 is fit.toml as it
    stood."""
    front = {trial.number for trial in tuning.front}
    head, rows = columns(tuning, tuning.trials)
    marks = ["*" if trial.number in front else "" for trial in tuning.trials]
    return ["", *head], [[mark, *row] for mark, row in zip(marks, rows, strict=True)]


def columns(tuning: Tuning, trials: Sequence[Trial]) -> tuple[list[str], list[list[str]]]:
    """(head, rows) of these trials: number, objectives and errors, values of the keys."""
    keys = [item.key for item in tuning.settings.search]
    deltas = list(dict.fromkeys(key for trial in tuning.trials for key in trial.delta))
    labels = list(dict.fromkeys(label for trial in tuning.trials for label in trial.rmse))
    noise = list(dict.fromkeys(key for trial in tuning.trials for key in _levels(trial)))
    targets = [own for own in tuning.settings.start.targets if _has_target(tuning, own.name)]
    words = tuning.settings.objectives
    others = words if len(words) == 1 else _without_errors(tuning, labels)
    head = ["trial", *(title(tuning, word) for word in others)]
    head += [f"{label}, {UNITS[label][1]}" for label in labels]
    head += [f"{own.name}, {own.unit}" if own.unit else own.name for own in targets]
    rows = []
    for trial in trials:
        row = [str(trial.number), *(shown_value(trial, word) for word in others)]
        row += [
            f"{UNITS[label][2] * trial.rmse[label]:.3g}" if label in trial.rmse else "-"
            for label in labels
        ]
        found = [trial.targets.get(own.name) for own in targets]
        row += ["-" if errors is None else f"{errors.rmse:.3g}" for errors in found]
        row += [shown(value_of(tuning, trial, key)) for key in (*keys, *deltas)]
        row += [shown(_levels(trial).get(key)) for key in noise]
        rows.append(row)
    return [*head, *keys, *deltas, *(f"noise.{key}" for key in noise)], rows


def title(tuning: Tuning, word: str) -> str:
    """The name of an objective with its unit; of the only one ``value``."""
    if len(tuning.settings.objectives) == 1:
        return "value"
    unit = _unit(tuning, word)
    return f"{word}, {unit}" if unit else word


def in_unit(word: str, value: float) -> float:
    """The value of an objective in the unit of its title."""
    return UNITS.get(word, ("", "", 1.0))[2] * value


def shown_value(trial: Trial, word: str) -> str:
    """The value of an objective in the unit of its title."""
    return f"{in_unit(word, trial.values[word]):.4g}" if trial.values else "failed"


def outcome(tuning: Tuning) -> str:
    """What the last trial gave, and the best so far, in one line."""
    trial, best, words = tuning.trials[-1], tuning.best, tuning.settings.objectives
    if len(words) == 1:
        found = "failed" if trial.value is None else f"{trial.value:.4g}"
        so_far = f", best {best.value:.4g} (trial {best.number})" if best else ""
    else:
        own = (
            f"{word} {shown_value(trial, word)} {_unit(tuning, word)}".rstrip() for word in words
        )
        found = "; ".join(own) if trial.values else "failed"
        so_far = f"; {len(tuning.front)} on the front" if best else ""
    return f"trial {trial.number}: {found}{so_far}, {trial.seconds:.1f} s"


def summary(tuning: Tuning, trial: Trial) -> str:
    """All errors of a trial that did not fail, and its cost, in one line."""
    parts = [
        f"{label} {UNITS[label][2] * value:.3g} {UNITS[label][1]}"
        for label, value in trial.rmse.items()
    ]
    parts += [
        f"{name} {own.rmse:.3g} {_unit(tuning, name)}".rstrip()
        for name, own in trial.targets.items()
    ]
    if trial.cost is not None:
        cost = trial.cost
        parts.append(
            f"{COST} {cost.us_per_atom:g} {_COST_UNIT}, {cost.ratio:g} of the first model's"
        )
    return "; ".join(parts)


def value_of(tuning: Tuning, trial: Trial, key: str) -> Any:
    """The value of a searched key; for trial 0 that of fit.toml or its default."""
    if trial.number:
        return (trial.parameters | trial.delta).get(key)
    place: Any = tuning.settings.start.to_dict()
    for word in key.replace("noise.", "noise.default.", 1).split("."):
        if isinstance(place, list) and word.isdecimal() and int(word) < len(place):
            place = place[int(word)]
        else:
            place = place.get(word) if isinstance(place, dict) else None
    return "as it was" if place is None else place


def shown(value: Any) -> str:
    """A value of a key, four digits of a number."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _meaning(tuning: Tuning, word: str) -> str:
    if word == "combined" and tuning.trials and not any(t.rmse for t in tuning.trials):
        word = "targets"  # without a potential
    return _MEANS.get(word, f"RMSE of {word}" if len(tuning.settings.objectives) == 1 else "RMSE")


def _unit(tuning: Tuning, word: str) -> str:
    """Of an objective, as it is shown; empty for numbers without one."""
    if word == COST:
        return _COST_UNIT
    targets = {own.name: own.unit or "" for own in tuning.settings.start.targets}
    return targets[word] if word in targets else UNITS.get(word, ("", "", 1.0))[1]


def _without_errors(tuning: Tuning, labels: Sequence[str]) -> list[str]:
    """The objectives that are not in the columns of errors."""
    shown = {*labels, *(own.name for own in tuning.settings.start.targets)}
    return [word for word in tuning.settings.objectives if word not in shown]


def _has_target(tuning: Tuning, name: str) -> bool:
    return any(name in trial.targets for trial in tuning.trials)


def _levels(trial: Trial) -> dict[str, Any]:
    return {k: v for k, v in (trial.noise or {}).items() if k != "config_type"}
