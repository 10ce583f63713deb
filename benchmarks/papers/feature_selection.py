# SPDX-License-Identifier: BSD-3-Clause
"""Errors and time per atom of models that keep some of their features, against their number.

MoNbTaW (../shared/data beside the repository, by default): the same training and test structures,
sparse points and noise for every choice; with --figure a PNG of it. With --functions, in their
place, the times of symmetry functions of which some are kept.

  python benchmarks/papers/feature_selection.py --figure docs/images/feature_selection.png
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import (
    COSINE,
    add_output_option,
    cpu_seconds,
    describe,
    emit,
    machine,
    pin_to_one_core,
    table,
)

pin_to_one_core()

import ase.io  # noqa: E402
import numpy as np  # noqa: E402

from potential import SymmetryFunctions, fit  # noqa: E402
from potential.model.evaluation import evaluate_structures  # noqa: E402
from potential.scores.benchmark import made_up_structure  # noqa: E402
from potential.selection.columns import choose_columns, columns_of_choice  # noqa: E402
from potential.structures.structure import atoms_from_structure, structure_from_atoms  # noqa: E402
from potential.terms.features import features  # noqa: E402

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "MoNbTaW" / "train.xyz"
PARTS = (0.02, 0.05, 0.1, 0.2)
# method, whether a choice for each species, whether recoupled
WAYS = (
    ("cur", False, False),
    ("cur", False, True),
    ("cur", True, False),
    ("cur", True, True),
    ("fps", False, False),
    ("fps", False, True),
    ("random", False, False),
)
TERM = {"cutoff": 5.0, "n_max": 6, "l_max": 5, "zeta": 4, "n_sparse": 300} | COSINE
NOISE = {"energy_per_atom": 0.002, "force": 0.1, "virial_per_atom": float("inf")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--structures", type=int, default=160, help="of training, and of the test")
    parser.add_argument("--seconds", type=float, default=4.0, help="of timing for each model")
    parser.add_argument("--figure", type=Path, help="PNG to write")
    parser.add_argument("--functions", action="store_true", help="only the symmetry functions")
    add_output_option(parser)
    arguments = parser.parse_args()
    train, test = split(arguments.data, arguments.structures)
    if arguments.functions:
        rows = times_of_functions(train, arguments.seconds)
        text = table(["symmetry functions", "of all", "values, µs/atom"], rows)
        emit(text, {"machine": machine(), "rows": rows}, arguments.json)
        return
    with tempfile.TemporaryDirectory() as folder:
        name = str(Path(folder) / "train.xyz")
        ase.io.write(name, train, format="extxyz")
        full = fitted(name, None)
        total = full.core.n_features(0)
        crystal = made_up_structure(full.species, 96)
        rows = [row(full, None, test, crystal, arguments.seconds)]
        for part in sorted(PARTS, key=lambda part: abs(part - 0.1)):
            for method, per_species, recouple in WAYS:
                wanted = {
                    "method": method,
                    "n_features": round(part * total),
                    "recouple": recouple,
                    "per_species": per_species,
                }
                model = fitted(name, wanted)
                rows.append(row(model, wanted, test, crystal, arguments.seconds))
                print(rows[-1], file=sys.stderr, flush=True)
    species = by_species(full, train, total // 10)
    information = machine()
    head = ["features", "of all", "residual %", "meV/atom", "meV/Å", "force / full", "µs/atom"]
    text = [describe(information), "", table(head, [cells(own, rows[0]) for own in rows]), ""]
    text.append("residual % of the environments of one species, a tenth of the features chosen on")
    text.append(table(["", "all species", "its own"], [[a, *own] for a, own in species.items()]))
    if arguments.figure:
        draw(rows, arguments.figure)
    result = {"machine": information, "rows": rows, "species": species}
    emit("\n".join(text), result, arguments.json)


def split(path, count):
    """Training and test structures, evenly through the file, which has one kind after the other."""
    frames = [atoms for atoms in ase.io.read(path, ":") if len(atoms) <= 16]
    chosen = np.linspace(0, len(frames) - 1, 2 * count).round().astype(int)
    frames = [frames[k] for k in chosen]
    return frames[::2], frames[1::2]


def fitted(train, feature_selection):
    term = TERM | ({"feature_selection": feature_selection} if feature_selection else {})
    settings = {"data": {"train": [train]}, "terms": [term], "noise": NOISE}
    return fit(settings, progress=False).model


def row(model, wanted, test, crystal, seconds):
    """Root mean square errors on the test structures, and time per atom."""
    found = evaluate_structures(model, [structure_from_atoms(atoms) for atoms in test])
    energy = [
        (own.energy - atoms.get_potential_energy()) / len(atoms)
        for own, atoms in zip(found, test, strict=True)
    ]
    force = [own.forces - atoms.get_forces() for own, atoms in zip(found, test, strict=True)]
    environments = model.environments(crystal)
    return {
        **(wanted or {"method": "all", "recouple": False, "per_species": False}),
        "n_features": model.core.n_features(0),
        "residual": residual(model),
        "energy": rms(energy),
        "force": rms(np.concatenate([own.ravel() for own in force])),
        "us_per_atom": 1e6 * least_seconds(model, environments, seconds) / len(crystal),
    }


def residual(model):
    record = model.metadata["provenance"].get("terms", [{}])[0]
    return record.get("feature_selection", {"residual": 0.0})["residual"]


def least_seconds(model, environments, seconds):
    """CPU time of an evaluation with forces, without the neighbour list: the least of many, which
    other programs on the machine hardly change."""
    least, end = np.inf, time.perf_counter() + seconds
    while time.perf_counter() < end or least == np.inf:
        least = min(least, cpu_seconds(lambda: model.evaluate_environments(environments)))
    return least


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


def by_species(model, train, n):
    """Residuals, in %, of the environments of each species: by a choice on all, and by its own."""
    X = np.concatenate([features(model, 0, atoms) for atoms in train])
    a = model.species_indices(np.concatenate([atoms.numbers for atoms in train]))
    weights = 1 / np.sqrt(np.bincount(a)[a])
    pooled = choose_columns(X * weights[:, None], n=n).chosen
    found = {}
    for k, z in enumerate(model.species):
        own = X[a == k]
        both = columns_of_choice(own, pooled).residual, choose_columns(own, n=n).residual
        found[str(z)] = [100 * residual for residual in both]
    return found


def times_of_functions(train, seconds):
    """Number of symmetry functions, its part of all, and the time of their values of an atom."""
    full = SymmetryFunctions(cutoff=TERM["cutoff"]).fit(train)
    X = full(train)
    crystal = atoms_from_structure(made_up_structure(full.species_, 96))
    rows = []
    for part in (1, *sorted(PARTS, reverse=True)):
        n = round(part * X.shape[1])
        kept = None if part == 1 else choose_columns(X, n=n).chosen
        own = SymmetryFunctions(cutoff=TERM["cutoff"], species=full.species_, features=kept)
        least, end = np.inf, time.perf_counter() + seconds
        while time.perf_counter() < end or least == np.inf:
            least = min(least, cpu_seconds(lambda own=own: own(crystal)))
        rows.append([n, part, 1e6 * least / len(crystal)])
    return rows


def cells(own, full):
    name = label_of(own)
    return [
        f"{name} {own['n_features']}",
        own["n_features"] / full["n_features"],
        100 * own["residual"],
        1e3 * own["energy"],
        1e3 * own["force"],
        own["force"] / full["force"],
        own["us_per_atom"],
    ]


def label_of(own):
    words = [own["method"], *(["by species"] if own["per_species"] else [])]
    return ", ".join(words + (["recoupled"] if own["recouple"] else []))


def way(own):
    return own["method"], own["per_species"], own["recouple"]


def draw(rows, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6))
    full, rest = rows[0], rows[1:]
    colors = {("cur", False): "C0", ("cur", True): "C3", ("fps", False): "C1"}
    for method, per_species, recouple in WAYS:
        own = sorted(
            (r for r in rest if way(r) == (method, per_species, recouple)),
            key=lambda r: r["n_features"],
        )
        color = colors.get((method, per_species), "C2")
        style = {"color": color, "marker": "o", "ms": 4, "ls": "-" if recouple else "--"}
        x = [r["n_features"] for r in own]
        axes[0].plot(x, [1e3 * r["energy"] for r in own], **style)
        axes[1].plot(x, [1e3 * r["force"] for r in own], label=label_of(own[0]), **style)
        axes[2].plot(x, [r["us_per_atom"] for r in own], **style)
    for ax, key, scale in zip(axes, ("energy", "force", "us_per_atom"), (1e3, 1e3, 1), strict=True):
        ax.axhline(scale * full[key], color="k", lw=0.8)
        ax.set(xscale="log", yscale="log", xlabel=f"features kept of {full['n_features']}")
        counts = [round(part * full["n_features"]) for part in PARTS]
        ax.set_xticks(counts, counts, minor=False)
        ax.set_xticks([], minor=True)
        low, high = ax.get_ylim()
        ticks = [m * 10**e for e in range(4) for m in (1, 2, 3, 4, 5, 7)]
        ticks = [tick for tick in ticks if low <= tick <= high]
        ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.set_yticks([], minor=True)
    axes[0].set_ylabel("energy error, meV/atom")
    axes[1].set_ylabel("force error, meV/Å")
    axes[2].set_ylabel("µs per atom, one core")
    axes[1].legend(fontsize=7, loc="center left", bbox_to_anchor=(0.0, 0.55))
    figure.tight_layout()
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    main()
