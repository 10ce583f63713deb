# SPDX-License-Identifier: BSD-3-Clause
"""Models with a committee of random members."""

import numpy as np

from potential.model.uncertainty import Scales, Uncertainty
from potential.terms import TrainingModel

SCALES = Scales(energy=1.5, force=2.5)


def with_members(model, n_members=4, seed=0, size=0.1):
    """The model with members whose weights deviate by N(0, size²) times the RMS of the weights."""
    trained = TrainingModel(model.to_bytes())
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(n_members, trained.n_weights))
    own -= own.mean(axis=0)
    arrays, begin = {}, 0
    for term in trained.own_terms:
        end = begin + term.n_weights
        scale = size * _rms(term)
        members = [term.weight_arrays(scale * row) for row in own[:, begin:end]]
        kept = [name for name in members[0] if name.startswith(kind_of_arrays(term.entry))]
        arrays |= {
            f"members.term{term.index}.{name}": np.stack([member[name] for member in members])
            for name in kept
        }
        begin = end
    return model.with_uncertainty(Uncertainty(n_members, committee=SCALES), arrays)


def kind_of_arrays(entry):
    """Beginning of the names of the arrays that members have of a term."""
    return "table." if entry["kind"] in ("pair", "triplet") else "weights."


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
