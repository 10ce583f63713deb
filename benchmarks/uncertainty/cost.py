# SPDX-License-Identifier: BSD-3-Clause
"""What measures of errors add to the evaluation of a potential with forces, on one core.

python benchmarks/uncertainty/cost.py --seconds 20
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import add_output_option, alternate, emit, machine, pin_to_one_core, ratios, table

pin_to_one_core()

import numpy as np  # noqa: E402
from systems import Size, crystal, random_model  # noqa: E402

from potential.model.uncertainty import Scales, Uncertainty  # noqa: E402

ZETAS = (1, 2, 4)
MEASURES = {
    "energies of members": ("energies",),
    "forces of members": ("energies", "forces"),
    "variance": ("variance",),
}


def with_uncertainty(model, n_members: int):
    """The model with random members and triangles: their sizes are what costs."""
    rng, arrays = np.random.default_rng(0), {}
    for a, points in model.sparse_points(0).items():
        size = len(points)
        arrays[f"members.term0.weights.{a}"] = rng.normal(scale=1e-4, size=(n_members, size))
        for name in (f"variance.prior.term0.{a}", f"variance.posterior.{a}"):
            arrays[name] = np.tril(rng.normal(scale=1e-3, size=(size, size)))
    one = Scales(1.0, 1.0)
    own = Uncertainty(n_members, one, one, one, edges=(1.0,) * len(model.species))
    return model.with_uncertainty(own, arrays)


def measured(zeta: int, n_sparse: int, n_atoms: int, n_members: int, seconds: float) -> dict:
    model = with_uncertainty(
        random_model(Size(species="SiGe", zeta=zeta, n_sparse=n_sparse)), n_members
    )
    atoms = crystal("SiGe", n_atoms)
    environments = model.environments(atoms)
    functions = {
        name: lambda wanted=wanted: model.evaluate_environments(environments, uncertainty=wanted)
        for name, wanted in {"potential": (), **MEASURES}.items()
    }
    times = alternate(functions, seconds)
    return {
        "zeta": zeta,
        "n_sparse": n_sparse,
        "n_members": n_members,
        "us_per_atom": 1e6 * float(np.median(times["potential"])) / len(atoms),
        **{name: ratios(own, times["potential"]) for name, own in times.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--atoms", type=int, default=512)
    parser.add_argument("--members", type=int, default=16)
    parser.add_argument("--sparse", type=int, nargs="+", default=[1000], help="of each species")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each model")
    add_output_option(parser)
    own = parser.parse_args()
    results = [
        measured(zeta, n_sparse, own.atoms, own.members, own.seconds)
        for n_sparse in own.sparse
        for zeta in ZETAS
    ]
    rows = [
        (
            f"zeta {result['zeta']}, {result['n_sparse']} points",
            result["us_per_atom"],
            *(result[name]["median"] for name in MEASURES),
        )
        for result in results
    ]
    head = ("", "potential, µs/atom", *(f"× with {name}" for name in MEASURES))
    emit(table(head, rows), {"machine": machine(), "results": results}, own.json)


if __name__ == "__main__":
    main()
