# SPDX-License-Identifier: BSD-3-Clause
"""What targets add to the evaluation of a potential with forces, on one core.

python benchmarks/target_cost.py --seconds 20
"""

from __future__ import annotations

import argparse

from common import add_output_option, alternate, emit, machine, pin_to_one_core, ratios, table

pin_to_one_core()

import numpy as np  # noqa: E402
from systems import Size, crystal, random_model  # noqa: E402

from potential.model.targets import Target  # noqa: E402

COUNTS = (1, 4, 16)
ZETAS = (1, 2, 4)


def with_targets(model, count: int):
    """The model with so many charges on random weights."""
    rng, arrays = np.random.default_rng(0), {}
    for h in range(count):
        arrays[f"target{h}.mean"] = rng.normal(size=len(model.species))
        for a, points in model.sparse_points(0).items():
            arrays[f"target{h}.term0.weights.{a}"] = rng.normal(size=len(points))
    return model.with_targets([Target(f"charge{h}", "e", True) for h in range(count)], arrays)


def measured(zeta: int, n_atoms: int, seconds: float) -> dict:
    model = random_model(Size(species="SiGe", zeta=zeta))
    atoms = crystal("SiGe", n_atoms)
    environments = model.environments(atoms)
    models = {"potential": model} | {f"{n} targets": with_targets(model, n) for n in COUNTS}
    functions = {
        name: lambda own=own: own.evaluate_environments(environments)
        for name, own in models.items()
    }
    times = alternate(functions, seconds)
    return {
        "zeta": zeta,
        "us_per_atom": 1e6 * float(np.median(times["potential"])) / len(atoms),
        **{name: ratios(own, times["potential"]) for name, own in times.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--atoms", type=int, default=512)
    parser.add_argument("--seconds", type=float, default=20.0, help="for each zeta")
    add_output_option(parser)
    arguments = parser.parse_args()
    results = [measured(zeta, arguments.atoms, arguments.seconds) for zeta in ZETAS]
    names = [f"{n} targets" for n in COUNTS]
    rows = [
        (f"zeta {own['zeta']}", own["us_per_atom"], *(own[name]["median"] for name in names))
        for own in results
    ]
    text = table(("", "potential, µs/atom", *(f"× with {name}" for name in names)), rows)
    emit(text, {"machine": machine(), "results": results}, arguments.json)


if __name__ == "__main__":
    main()
