# SPDX-License-Identifier: BSD-3-Clause
"""Models with a committee of random members."""

import re
from dataclasses import replace

import numpy as np

from potential.model.uncertainty import Scales, Uncertainty
from potential.terms import TrainingModel
from potential.uncertainty.committee import member_arrays

SCALES = Scales(energy=1.5, force=2.5)


def with_members(model, n_members=4, seed=0, size=0.1):
    """The model with members whose weights deviate by N(0, size²) times the RMS of the weights."""
    trained = TrainingModel(model.to_bytes())
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(n_members, trained.n_weights))
    own -= own.mean(axis=0)
    sizes = [size * _rms(term) for term in trained.own_terms]
    own *= np.repeat(sizes, [term.n_weights for term in trained.own_terms])
    measures = Uncertainty(n_members, committee=SCALES)
    return model.with_uncertainty(measures, member_arrays(trained, own))


def with_target_members(model, n_members=4, seed=7, size=0.1):
    """The model with members, of its potential as ``with_members`` unless it has some, that have
    its targets too: weights deviate by N(0, size²). Scales of the targets differ, those of atoms by
    species."""
    if model.has_potential and model.uncertainty is None:
        model = with_members(model, n_members)
    rng = np.random.default_rng(seed)
    arrays, scales = dict(model.arrays), {}
    for h, target in enumerate(model.targets):
        of = tuple(1.5 + h + a for a in range(len(model.species)))
        scales[target.name] = of if target.per_atom else of[0]
        for name in [n for n in arrays if re.match(rf"target{h}\.(term.*)?weights", n)]:
            own = size * rng.normal(size=(n_members, *arrays[name].shape))
            arrays[f"members.{name}"] = own - own.mean(axis=0)
    measures = replace(model.uncertainty or Uncertainty(n_members), targets=scales)
    return model.with_targets(
        model.targets,
        {name: own for name, own in arrays.items() if "target" in name},
        potential=model.has_potential,
        uncertainty=measures,
    )


def member(model, c):
    """The model of a member alone, unscaled, without a committee."""
    arrays = dict(model.arrays)
    for name in [name for name in arrays if name.startswith("members.")]:
        of_model = name.removeprefix("members.")
        arrays[of_model] = arrays[of_model] + arrays.pop(name)[c]
    metadata = {key: text for key, text in model._contents[0].items() if key != "uncertainty"}
    return type(model).from_arrays(metadata, arrays)


def _rms(term):
    """Of the term's weights; 1 without any."""
    own = [a for name, a in term.model.arrays.items() if f"term{term.index}.weights" in name]
    values = np.concatenate([np.zeros(0), *own])
    return np.sqrt(np.mean(values**2)) if values.any() else 1.0
