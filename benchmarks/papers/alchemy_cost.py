#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What an alchemical map costs in LAMMPS, and what more elements cost.

  python benchmarks/papers/alchemy_cost.py --plot docs/images/alchemy_cost.png

Crystals of the same sites with more and more elements at random on them; nothing is fitted. Models
of equal cutoff, n_max, l_max and ζ: a plain term of 4 elements; alchemical ones of d_J = 4, which
have as many features, for up to 83 elements, with sparse points for each element (up to 25) or one
set for all. Models take turns; times are CPU times of LAMMPS' loop on one core, ratios are taken
round by round.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import ase.io
import numpy as np
from ase.build import bulk
from ase.data import chemical_symbols
from common import (
    COSINE,
    add_output_option,
    describe,
    emit,
    interval,
    machine,
    ratios,
    summary,
    table,
)
from lammps_speed import Style, run_style

from potential.basis import SoapBasis, tabulate
from potential.model import Model
from potential.terms import build_model
from potential.terms.features import features

HIGH_ENTROPY = [
    *("Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Y", "Zr", "Nb"),
    *("Mo", "Ru", "Rh", "Pd", "Ag", "Lu", "Hf", "Ta", "W", "Ir", "Pt", "Au"),
]
ELEMENTS = {4: ["Ni", "Cu", "Pd", "Au"], 25: HIGH_ENTROPY, 83: chemical_symbols[1:84]}
LATTICE = 3.9  # Å, fcc


@dataclass(frozen=True)
class Case:
    """A model and the crystal that it runs."""

    n_elements: int
    alchemical: bool
    centers: str  # "separate": n_sparse points for each element

    @property
    def name(self) -> str:
        kind = "alchemical" if self.alchemical else "plain"
        return f"{kind} {self.centers} {self.n_elements}"


PLAIN = Case(4, False, "separate")
SAME_POINTS = Case(25, True, "separate")
CASES = [
    PLAIN,
    Case(4, True, "separate"),
    SAME_POINTS,
    *(Case(n, True, centers) for centers in ("shared", "alchemical") for n in ELEMENTS),
]


def main() -> None:
    arguments = _arguments()
    times: dict[Case, list[float]] = {case: [] for case in CASES}
    with tempfile.TemporaryDirectory() as temporary:
        folders = {case: Path(temporary) / case.name.replace(" ", "-") for case in CASES}
        sizes = {case: prepare(folders[case], case, arguments) for case in CASES}
        for _ in range(arguments.rounds):
            for case in CASES:
                elements = " ".join(ELEMENTS[case.n_elements])
                lines = f"pair_style soap/gpr\npair_coeff * * model.sgpr {elements}"
                style = Style(case.name, lines, arguments.guess)
                wall, cpu = run_style(folders[case], style, arguments.atoms, 1, arguments.seconds)
                times[case].append(0.01 * cpu * wall)
    result = {
        "benchmark": "alchemy_cost",
        "machine": machine(["lammps"]),
        "settings": vars(arguments),
        "runs": [
            {
                "name": case.name,
                "elements": case.n_elements,
                "centers": case.centers,
                "alchemical": case.alchemical,
                "us_per_atom_step": summary(times[case]),
                "model_mb": sizes[case] / 1e6,
            }
            for case in CASES
        ],
        "ratios": {
            "25 elements alchemical over 4 plain, equal points per element": ratios(
                times[SAME_POINTS], times[PLAIN]
            ),
            **{
                f"83 elements over 4, {centers} set": ratios(
                    times[Case(83, True, centers)], times[Case(4, True, centers)]
                )
                for centers in ("shared", "alchemical")
            },
        },
    }
    emit(_text(result), result, arguments.json)
    if arguments.plot:
        plot(result, arguments.plot)


def crystal(elements: list[str], n_atoms: int, seed: int = 0) -> ase.Atoms:
    """At least n_atoms sites of a displaced fcc crystal, the elements at random on them."""
    cells = int(np.ceil((n_atoms / 4) ** (1 / 3) - 1e-9))
    atoms = bulk("Cu", "fcc", a=LATTICE, cubic=True).repeat(cells)
    atoms.symbols = np.random.default_rng(seed).permutation(np.resize(elements, len(atoms)))
    atoms.rattle(0.05, seed=seed)
    return atoms


def prepare(folder: Path, case: Case, arguments: argparse.Namespace) -> int:
    """Writes the crystal and the model, of which it returns the size in bytes."""
    folder.mkdir()
    elements = ELEMENTS[case.n_elements]
    atoms = crystal(elements, arguments.atoms)
    ase.io.write(
        folder / f"{arguments.atoms}.data",
        atoms,
        format="lammps-data",
        units="metal",
        specorder=elements,
    )
    random_model(case, arguments).save(folder / "model.sgpr")
    return (folder / "model.sgpr").stat().st_size


def random_model(case: Case, arguments: argparse.Namespace) -> Model:
    """Sparse points are environments of displaced crystals; weights are random and small."""
    rng = np.random.default_rng(0)
    species = sorted(chemical_symbols.index(name) for name in ELEMENTS[case.n_elements])
    soap = SoapBasis(
        cutoff=arguments.cutoff,
        **COSINE,
        cutoff_width=1.0,
        n_max=arguments.n_max,
        l_max=arguments.l_max,
        alchemy={"dimensions": 4} if case.alchemical else None,
    )
    term = {"kind": "soap", "cutoff": soap.cutoff, "l_max": soap.l_max, "zeta": 4, "delta": 1.0}
    term |= {"normalize": True, **tabulate(soap, species)}
    separate, n = case.centers == "separate", arguments.n_sparse
    wanted = n * len(species) if separate else n
    frame = crystal(ELEMENTS[case.n_elements], int(1.1 * wanted) + 8 * len(species), seed=1)
    X = features(build_model(species, np.zeros(len(species)), [term]), 0, frame)
    if separate:
        points = {a: X[frame.numbers == z][:n] for a, z in enumerate(species)}
    else:
        points = {0: X[:n]}
        term["sparse_species"] = np.searchsorted(species, frame.numbers[:n])
        term["centers"] = case.centers
    term["sparse_points"] = points
    term["weights"] = {a: rng.normal(scale=1e-3, size=len(own)) for a, own in points.items()}
    return build_model(species, np.zeros(len(species)), [term])


def _text(result: dict) -> str:
    rows = []
    for run in result["runs"]:
        time = run["us_per_atom_step"]
        rows.append([run["name"], time["least"], time["median"], interval(time["quartiles"])])
        rows[-1].append(run["model_mb"])
    head = ["CPU µs/atom/step in LAMMPS", "least", "median", "quartiles", "model MB"]
    lines = [
        f"{name}: {own['median']:.2f} ({interval(own['quartiles'])})"
        for name, own in result["ratios"].items()
    ]
    return "\n".join([describe(result["machine"]), "", table(head, rows), "", *lines])


def plot(result: dict, path: str) -> None:
    """Time per atom against the number of elements."""
    from potential.reports.plots import COLORS, INK, figure

    fig, axes = figure(5.2, 3.6)
    labels = {
        (True, "shared"): "map, one set (shared)",
        (True, "alchemical"): "map, one set (alchemical)",
        (True, "separate"): "map, a set for each element",
        (False, "separate"): "plain term",
    }
    for color, ((alchemical, centers), label) in zip(COLORS, labels.items(), strict=False):
        runs = [
            run
            for run in result["runs"]
            if (run["alchemical"], run["centers"]) == (alchemical, centers)
        ]
        axes.plot(
            [run["elements"] for run in runs],
            [run["us_per_atom_step"]["median"] for run in runs],
            "o-",
            color=color,
            label=label,
        )
    most = max(run["us_per_atom_step"]["median"] for run in result["runs"])
    axes.set_ylim(0, 1.2 * most)
    axes.set_xlabel("elements", color=INK)
    axes.set_ylabel("CPU µs/atom/step in LAMMPS", color=INK)
    axes.legend(fontsize=8, frameon=False)
    fig.savefig(path, dpi=110)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--atoms", type=int, default=2048)
    parser.add_argument("--n-sparse", type=int, default=500)
    parser.add_argument("--n-max", type=int, default=6)
    parser.add_argument("--l-max", type=int, default=4)
    parser.add_argument("--cutoff", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="about this long a run")
    parser.add_argument("--guess", type=float, default=150.0, help="µs/atom/step, about")
    parser.add_argument("--plot", metavar="PNG")
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
