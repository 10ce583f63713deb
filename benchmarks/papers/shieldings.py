# SPDX-License-Identifier: BSD-3-Clause
"""Chemical shieldings of molecular crystals: a target of atoms learnt from half of CSD-500 and
tested on the other half, beside the prediction that ships with the set on the same atoms, with and
without radial scaling.

  python benchmarks/papers/shieldings.py CSD-500.xyz --json shieldings.json --plot shieldings.png
"""

import argparse
import json
import time
from pathlib import Path

import ase.io
import numpy as np

from potential import fit
from potential.reports.plots import draw_parity
from potential.runtime.text_table import text_table
from potential.scores.properties import property_pairs

NAME, KEY = "shielding", "CS"
COLUMN, PUBLISHED = 0, 1  # of the file: GIPAW and the shipped prediction
NOISE = {"H": 0.3, "C": 2.0, "N": 6.0, "O": 10.0}  # ppm
SCALING = {"scale": 2.0, "exponent": 4.0}
OPTIONS = ("cutoff", "n_max", "l_max", "channels", "zeta", "n_sparse")


def settings(
    scaled: bool = True,
    *,
    cutoff: float = 5.0,
    n_max: int = 8,
    l_max: int = 6,
    channels: int = 24,
    zeta: float = 2,
    n_sparse: int = 3000,
) -> dict:
    """A fit of shieldings, with n_sparse environments of each species."""
    term = {
        "cutoff": cutoff,
        "cutoff_width": 1.0,
        "cutoff_function": "cosine",
        "n_max": n_max,
        "l_max": l_max,
        "atom_sigma": 0.35,
        "zeta": zeta,
        "n_sparse": n_sparse,
        "contraction": {"n_channels": channels},
        "radial_scaling": SCALING if scaled else {"exponent": 0},
    }
    target = {"name": NAME, "key": KEY, "column": COLUMN, "unit": "ppm", "noise": NOISE}
    return {"terms": [term], "targets": [target]}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", help="CSD-500.xyz")
    parser.add_argument("--n-sparse", type=int, default=3000, help="of each species")
    parser.add_argument("--cutoff", type=float, default=5.0)
    parser.add_argument("--n-max", type=int, default=8)
    parser.add_argument("--l-max", type=int, default=6)
    parser.add_argument("--channels", type=int, default=24, help="of each l, by contraction")
    parser.add_argument("--zeta", type=float, default=2)
    parser.add_argument("--crystals", type=int, default=500, help="of these, half each")
    parser.add_argument("--seed", type=int, default=0, help="of the split")
    parser.add_argument("--only", choices=("scaled", "unscaled"))
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--plot", metavar="FILE")
    arguments = parser.parse_args()
    frames = ase.io.read(arguments.data, f":{arguments.crystals}")
    order = np.random.default_rng(arguments.seed).permutation(len(frames))
    half = len(frames) // 2
    train, test = ([frames[k] for k in own] for own in (order[:half], order[half:]))
    results = {"settings": vars(arguments), "published": published(test)}
    scaled = None
    own = {name: getattr(arguments, name) for name in OPTIONS}
    for name in ("scaled", "unscaled"):
        if arguments.only in (None, name):
            start = time.perf_counter()
            found = fit(settings(name == "scaled", **own), train=train, test=test)
            errors = found.test_property_errors[NAME]
            results[name] = {group: error.rmse for group, error in errors.items()}
            results[name]["seconds"] = time.perf_counter() - start
            scaled = scaled or found
            print(table(results), flush=True)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(results, indent=1) + "\n")
    if arguments.plot:
        plot(scaled, arguments.plot)


def published(test: list) -> dict[str, float]:
    """RMSE by species of the prediction in the file."""
    numbers = np.concatenate([atoms.get_chemical_symbols() for atoms in test])
    values = np.concatenate([atoms.arrays[KEY] for atoms in test])
    difference = values[:, PUBLISHED] - values[:, COLUMN]
    return {
        str(name): float(np.sqrt(np.mean(difference[numbers == name] ** 2)))
        for name in np.unique(numbers)
    }


def table(results: dict) -> str:
    """RMSE in ppm by species."""
    models = [name for name in results if name != "settings"]
    rows = [
        (species, *(f"{results[name][species]:.3f}" for name in models))
        for species in results["published"]
    ]
    return text_table(("RMSE (ppm)", *models), rows, left=(0,))


def plot(found, path: str) -> None:
    """Predicted against reference values of the test crystals, species by species."""
    from matplotlib.figure import Figure

    predictions = [found.model.evaluate(s, forces=False) for s in found.test]
    pairs = property_pairs(found.model.targets, found.test, predictions)[NAME]
    fig = Figure(figsize=(8.4, 8.0), layout="constrained")
    for axes, species in zip(fig.subplots(2, 2).flat, ("H", "C", "N", "O"), strict=True):
        own = pairs.of == species
        reference, predicted = pairs.reference[own], pairs.predicted[own]
        rmse = np.sqrt(np.mean((predicted - reference) ** 2))
        draw_parity(axes, reference, predicted, pairs.of[own], "shielding", "ppm")
        axes.set_title(f"{species}: {own.sum()} atoms, RMSE {rmse:.2f} ppm", fontsize=10)
    fig.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
