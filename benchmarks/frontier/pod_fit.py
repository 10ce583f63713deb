# SPDX-License-Identifier: BSD-3-Clause
"""POD by LAMMPS' own `fitpod`: Nguyen and Rohskopf, J. Comput. Phys. 480, 112030 (2023).

Three sizes: those of LAMMPS' examples Ta and InP (examples/PACKAGES/pod), with up to three and four
bodies, and that of Si in the authors' cesmix-mit/pod-examples (FastPOD), with up to seven. Weights
of the fit and the cutoff are the same in all of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from common import beside

PARAMETERS, COEFFICIENTS = "pod.txt", "fit_coefficients.pod"
INP = {
    "rin": 0.8,
    "rcut": 5.0,
    "bessel_polynomial_degree": 4,
    "inverse_polynomial_degree": 8,
    "onebody": 1,
    "twobody_number_radial_basis_functions": 6,
    "threebody_number_radial_basis_functions": 5,
    "threebody_angular_degree": 4,
    "fourbody_number_radial_basis_functions": 4,
    "fourbody_angular_degree": 2,
}
TA = INP | {
    "rin": 1.0,
    "bessel_polynomial_degree": 3,
    "inverse_polynomial_degree": 6,
    "fourbody_number_radial_basis_functions": 0,
    "fourbody_angular_degree": 0,
}
SI = {
    "rin": 1.0,
    "rcut": 5.0,
    "bessel_polynomial_degree": 4,
    "inverse_polynomial_degree": 8,
    "onebody": 1,
    "twobody_number_radial_basis_functions": 10,
    "threebody_number_radial_basis_functions": 8,
    "threebody_angular_degree": 4,
    "fourbody_number_radial_basis_functions": 6,
    "fourbody_angular_degree": 3,
    "fivebody_number_radial_basis_functions": 4,
    "fivebody_angular_degree": 3,
    "sixbody_number_radial_basis_functions": 3,
    "sixbody_angular_degree": 2,
    "sevenbody_number_radial_basis_functions": 2,
    "sevenbody_angular_degree": 2,
}
EXAMPLES = {"Ta": TA, "InP": INP, "Si": SI}
RIN = {"water": 0.5}  # Å: below the shortest distance of the set
FIT = """\
file_format extxyz
file_extension xyz
path_to_training_data_set "data"
fitting_weight_energy 100.0
fitting_weight_force 1.0
fitting_regularization_parameter 1e-12
error_analysis_for_training_data_set 0
error_analysis_for_test_data_set 0
basename_for_output_files fit
precision_for_pod_coefficients 12
"""


def settings_of(name: str, template: Mapping[str, float]) -> dict[str, float]:
    """Of a set: those of the example, but for distances that it does not reach."""
    return {**template, **({"rin": RIN[name]} if name in RIN else {})}


def command(
    settings: Mapping[str, float], species: Sequence[str], folder: Path, train: Path
) -> list[str]:
    """The fit as a command to be run in the folder, with its inputs written there."""
    (folder / "data").mkdir(exist_ok=True)
    shutil.copy(train, folder / "data" / "train.xyz")
    lines = [f"species {' '.join(species)}", "pbc 1 1 1"]
    lines += [f"{key} {value}" for key, value in settings.items()]
    (folder / PARAMETERS).write_text("\n".join(lines) + "\n")
    (folder / "data.txt").write_text(FIT)
    (folder / "in.fitpod").write_text(f"units metal\nfitpod {PARAMETERS} data.txt\n")
    return [beside("lmp") or "lmp", "-in", "in.fitpod", "-log", "none", "-nocite"]


def pair_lines(folder: Path, species: Sequence[str]) -> list[str]:
    """For LAMMPS, with the files of a fit."""
    files = f"{folder / PARAMETERS} {folder / COEFFICIENTS}"
    return ["pair_style pod", f"pair_coeff * * {files} {' '.join(species)}"]
