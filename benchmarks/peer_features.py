# SPDX-License-Identifier: BSD-3-Clause
"""SOAP features and their gradients from featomic and DScribe, with the settings of a Size.

ImportError when the library is not installed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from systems import Size, crystal

CENTERS = 27  # DScribe returns gradients with respect to all atoms: few centres keep them small


def featomic_call(size: Size, gradients: bool) -> tuple[str, Callable[[], object], int]:
    """(name, call, number of centres); a periodic crystal of 64 atoms or more."""
    import featomic

    calculator = featomic.SoapPowerSpectrum(
        cutoff={
            "radius": size.cutoff,
            "smoothing": {"type": "ShiftedCosine", "width": size.cutoff_width},
        },
        density={"type": "Gaussian", "width": size.atom_sigma},
        basis={
            "type": "TensorProduct",
            "max_angular": size.l_max,
            "radial": {"type": "Gto", "max_radial": size.n_max - 1},
        },
    )
    atoms = crystal(size.species, 64)
    wanted = ["positions"] if gradients else []
    name = f"featomic, features{' with gradients' if gradients else ''}"
    return name, lambda: calculator.compute(atoms, gradients=wanted), len(atoms)


def dscribe_call(size: Size, gradients: bool) -> tuple[str, Callable[[], object], int]:
    """(name, call, number of centres); the inner atoms of a cluster: analytical derivatives are not
    available for periodic structures."""
    from dscribe.descriptors import SOAP

    atoms = crystal(size.species, 216)
    atoms.pbc = False
    middle = atoms.cell.array.sum(axis=0) / 2
    centers = np.argsort(np.linalg.norm(atoms.positions - middle, axis=1))[:CENTERS].tolist()
    soap = SOAP(
        species=sorted(set(atoms.symbols)),
        periodic=False,
        r_cut=size.cutoff,
        n_max=size.n_max,
        l_max=size.l_max,
        sigma=size.atom_sigma,
        rbf="gto",
    )
    if not gradients:
        return "DScribe, features", lambda: soap.create(atoms, centers=centers), CENTERS

    def derivatives() -> object:
        return soap.derivatives(atoms, centers=centers, method="analytical")

    return "DScribe, features with gradients", derivatives, CENTERS
