#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Symmetry functions: the values and the time of dscribe, and learning beside SOAP.

  python benchmarks/papers/symmetry_functions.py --plot docs/images/symmetry_functions.png

Functions are those of docs/theory.md eq. (5o), with G4 of the same parameters for values and times.
dscribe 2.1.2 gives other values where atoms lie outside the cell: both get atoms wrapped into it,
and the deviation for positions as they are in the file is said beside it. Sets: mlearn_Si and
water_PBE0TS of ../shared/data beside the repository; sparse points, ζ, cutoff and noise are the
same for all features. Errors are mean absolute ones on structures not trained on, of one shuffle.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import (
    COSINE,
    add_output_option,
    alternate,
    describe,
    emit,
    machine,
    pin_to_one_core,
    ratios,
    summary,
    table,
)

pin_to_one_core()

import argparse  # noqa: E402
from typing import Any  # noqa: E402

import ase  # noqa: E402
import ase.io  # noqa: E402
import numpy as np  # noqa: E402
from dscribe.descriptors import ACSF  # noqa: E402

from potential import SymmetryFunctions, fit  # noqa: E402
from potential.model import Model  # noqa: E402
from potential.model.evaluation import evaluate_structures  # noqa: E402
from potential.settings.symmetry import standard_functions  # noqa: E402

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
CUTOFF = 5.0
FEATURES: dict[str, dict[str, Any]] = {
    "SOAP": {},
    "symmetry functions": {"kind": "acsf"},
    "the same, scaled": {"kind": "acsf", "feature_scaling": "std"},
}
# file, structures to train on and to test on
SETS = {
    "Si": ("mlearn_Si/train.xyz", (15, 30, 60, 120), 60),
    "water": ("water_PBE0TS/train.xyz", (2, 4, 8, 16), 20),
}


def main() -> None:
    arguments = _arguments()
    frames = {name: ase.io.read(arguments.data / file, ":") for name, (file, *_) in SETS.items()}
    result: dict[str, Any] = {
        "benchmark": "symmetry_functions",
        "machine": machine(["dscribe"]),
        "settings": {**vars(arguments), "data": str(arguments.data)},
        "values": [values(name, own[0], arguments.seconds) for name, own in frames.items()],
        "learning": [
            row
            for name, own in frames.items()
            if not arguments.values_only
            for row in learning(name, own, arguments)
        ],
    }
    emit(_text(result), result, arguments.json)
    if arguments.plot:
        plot(result, arguments.plot)


def values(name: str, atoms: ase.Atoms, seconds: float) -> dict[str, Any]:
    """Largest deviation from dscribe, and times of both in turns."""
    g2, g5 = standard_functions(CUTOFF).values()
    functions = {"g2": g2, "g4": g5, "g5": g5}
    species = sorted(set(atoms.symbols))
    own = SymmetryFunctions(species=species, cutoff=CUTOFF, g1=True, n_threads=1, **functions)
    theirs = ACSF(
        species=species,
        r_cut=CUTOFF,
        periodic=True,
        **{f"{key}_params": [list(row) for row in rows] for key, rows in functions.items()},
    )
    as_given = np.abs(own(atoms) - theirs.create(atoms)).max()
    atoms = atoms.copy()
    atoms.wrap()
    found, expected = own(atoms), theirs.create(atoms)
    codes = {"soap-gpr": lambda: own(atoms), "dscribe": lambda: theirs.create(atoms)}
    times = alternate(codes, seconds)
    return {
        "set": name,
        "features": found.shape[1],
        "largest_deviation": float(np.abs(found - expected).max()),
        "deviation_not_wrapped": float(as_given),
        "largest_value": float(np.abs(expected).max()),
        "us_per_atom": {
            code: summary(seconds, 1e6 / len(atoms)) for code, seconds in times.items()
        },
        "speedup": ratios(times["dscribe"], times["soap-gpr"]),
    }


def learning(name: str, frames: list[ase.Atoms], arguments: argparse.Namespace) -> list[dict]:
    """Errors of all features at every number of structures."""
    _, sizes, n_test = SETS[name]
    order = np.random.default_rng(0).permutation(len(frames))
    shuffled = [frames[k] for k in order]
    test, pool = shuffled[:n_test], shuffled[n_test:]
    rows = []
    for n in sizes:
        for features, own in FEATURES.items():
            fading = COSINE if own.get("kind", "soap") == "soap" else {}
            term = {"cutoff": CUTOFF, "n_sparse": arguments.n_sparse, **fading, **own}
            settings = {"data": {}, "terms": [term]}
            model = fit(settings, train=pool[:n], progress=False).model
            rows.append({"set": name, "n": n, "features": features, **errors(model, test)})
    return rows


def errors(model: Model, test: list[ase.Atoms]) -> dict[str, float]:
    """Mean absolute errors."""
    found = evaluate_structures(model, test)
    pairs = list(zip(found, test, strict=True))
    energy = [(own.energy - a.get_potential_energy()) / len(a) for own, a in pairs]
    force = np.concatenate([np.ravel(own.forces - a.get_forces()) for own, a in pairs])
    return {
        "energy_mev_per_atom": 1e3 * float(np.mean(np.abs(energy))),
        "force_ev_per_a": float(np.mean(np.abs(force))),
    }


def _text(result: dict[str, Any]) -> str:
    head = [
        "set",
        "features",
        "largest deviation",
        "not wrapped",
        "of",
        "µs/atom",
        "dscribe",
        "speed-up",
    ]
    times = [
        [
            own["set"],
            own["features"],
            f"{own['largest_deviation']:.1e}",
            f"{own['deviation_not_wrapped']:.1e}",
            f"{own['largest_value']:.2g}",
            *(f"{own['us_per_atom'][code]['median']:.1f}" for code in ("soap-gpr", "dscribe")),
            f"{own['speedup']['median']:.1f}",
        ]
        for own in result["values"]
    ]
    learned = [
        [
            own["set"],
            own["n"],
            own["features"],
            f"{own['energy_mev_per_atom']:.2f}",
            f"{own['force_ev_per_a']:.4f}",
        ]
        for own in result["learning"]
    ]
    errors_head = ["set", "structures", "features", "energy meV/atom", "force eV/Å"]
    return "\n\n".join(
        [describe(result["machine"]), table(head, times), table(errors_head, learned)]
    )


def plot(result: dict[str, Any], path: str) -> None:
    """Force errors over the number of structures."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), SETS, strict=True):
        for features in FEATURES:
            wanted = name, features
            own = [row for row in result["learning"] if (row["set"], row["features"]) == wanted]
            x, y = [row["n"] for row in own], [row["force_ev_per_a"] for row in own]
            axes.semilogx(x, y, marker="o", label=features)
        axes.set(title=name, xlabel="training structures", ylabel="force MAE (eV/Å)")
        axes.set_xticks(SETS[name][1], SETS[name][1])
        axes.minorticks_off()
        axes.legend(fontsize=8)
    figure.savefig(path, dpi=100)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="of times, for each set")
    parser.add_argument("--n-sparse", type=int, default=300, help="of each species")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the sets")
    parser.add_argument("--values-only", action="store_true", help="no learning")
    parser.add_argument("--plot", help="where the figure goes")
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
