# SPDX-License-Identifier: BSD-3-Clause
"""A model of some of the terms of another."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from potential.model.model import FORMAT, Model


def part(model: Model, terms: Sequence[int], *, e0: bool) -> Model:
    """The model of these terms alone, in this order; without e0 all of them are zero."""
    arrays = {name: model.arrays[name] for name in ("species", "e0")}
    if not e0:
        arrays["e0"] = np.zeros_like(arrays["e0"])
    for new, t in enumerate(terms):
        for name, array in model.arrays.items():
            if name.startswith(f"term{t}."):
                arrays[name.replace(f"term{t}.", f"term{new}.", 1)] = array
    metadata = FORMAT | {"terms": json.dumps([model.terms[t] for t in terms])}
    return Model.from_arrays(metadata, arrays)
