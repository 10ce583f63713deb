# SPDX-License-Identifier: BSD-3-Clause
"""Two lengths by which equivariant features may be divided, on dipoles and polarizabilities of
water: that of the power spectrum (docs/theory.md eq. 26a), and their own, the Frobenius norm of
k(i, i), as H 56 has it.

Kernel ridge regression with the kernel between whole structures, in NumPy alone, on all products of
the density: no sparse points, and nothing of the fits of this package. The regulariser is chosen on
validation structures, errors are of test structures.

  python benchmarks/accuracy/tensor_normalisation.py --json normalisation.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import COSINE, add_output_option, describe, emit, machine, pin_to_one_core, table

pin_to_one_core()

import ase.io  # noqa: E402
import numpy as np  # noqa: E402
from scipy.linalg import cho_factor, cho_solve  # noqa: E402

from potential import SoapDescriptor  # noqa: E402
from potential.descriptors import equivariants  # noqa: E402
from potential.tensors.spherical import Part, places, to_spherical  # noqa: E402

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SETS = ("monomer", "zundel")
SOAP = {"cutoff": 4.0, "n_max": 6, "l_max": 4, **COSINE}
ATOM_SIGMAS = (0.3, 0.4, 0.5)
TARGETS = {
    "dipole": ("dipole_au", 1, Part(1, 1)),
    "polarizability": ("polarizability_au", 2, Part(2, 1)),
}
NORMS = ("the power spectrum", "ψ itself")
SIZES, REPEATS, N_VALIDATION, N_TEST = (100, 200, 400, 700), 3, 100, 200
REGULARISERS = np.geomspace(1e-11, 1e-3, 17)  # of the mean of the kernel's diagonal
ZETA = 2
BLOCK = 50  # structures


def main() -> None:
    arguments = options().parse_args()
    if not (arguments.data / "water_tensors").exists():
        raise SystemExit(f"{arguments.data / 'water_tensors'} was not found: see --data")
    every = [(name, sigma) for name in arguments.sets for sigma in arguments.atom_sigma]
    results = [own for name, sigma in every for own in of_set(name, sigma, arguments)]
    head = [
        "% of the rms",
        "",
        "atom_sigma",
        "divided by the length of",
        *map(str, arguments.sizes),
    ]
    rows = [
        [own["set"], own["target"], str(own["atom_sigma"]), own["norm"], *own["percent"]]
        for own in results
    ]
    information = machine(["ase", "scipy"])
    result = {"machine": information, "soap": SOAP, "zeta": ZETA, "results": results}
    emit(f"{describe(information)}\n\n{table(head, rows)}", result, arguments.json)


def of_set(name: str, sigma: float, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The curves of one set, of each target with either norm."""
    frames = ase.io.read(arguments.data / "water_tensors" / f"{name}.xyz", ":")
    order = np.random.default_rng(0).permutation(len(frames))
    frames = [frames[k] for k in order[: N_TEST + N_VALIDATION + arguments.sizes[-1]]]
    soap = SoapDescriptor(**SOAP, atom_sigma=sigma).fit(frames)
    for target, (key, rank, part) in TARGETS.items():
        T = np.array([atoms.info[key] for atoms in frames]).reshape(len(frames), 3**rank)
        t = to_spherical(T, rank)[:, places(rank)[part]]
        for norm, K in zip(NORMS, kernels(soap, frames, part), strict=True):
            percent = curve(K, t, arguments.sizes)
            own = {"set": name, "target": f"{target}, {part}", "atom_sigma": sigma, "norm": norm}
            yield {**own, "sizes": list(arguments.sizes), "percent": percent}
            print(f"{own}: {percent}", file=sys.stderr, flush=True)


def kernels(soap: SoapDescriptor, frames: Sequence[Any], part: Part) -> list[np.ndarray]:
    """K (n (2λ + 1), n (2λ + 1)) between structures of the same composition, Σ_ij k(i, j) of eq.
    (26b), with either norm."""
    numbers, n, size = frames[0].numbers, len(frames), part.size
    # orders of atoms are the same in all frames of these sets
    assert all(np.array_equal(atoms.numbers, numbers) for atoms in frames)
    features = equivariants(soap, frames, *part)
    p = features.scalars.reshape(n, len(numbers), -1)
    psi = features.values.reshape(n, len(numbers), -1, size)
    # |k(i, i)|_F^½ of what is divided by |p| already, which cancels
    grams = np.einsum("nafu,nafv->nauv", psi, psi)
    lengths = np.sqrt(np.linalg.norm(grams, axis=(2, 3)))
    lengths = np.where(lengths > 1e-12 * lengths.max(), lengths, np.inf)
    found = [np.zeros((n, size, n, size)) for _ in NORMS]
    for z in np.unique(numbers):
        x, y, of = p[:, numbers == z], psi[:, numbers == z], 1 / lengths[:, numbers == z]
        for i in range(0, n, BLOCK):
            I = slice(i, i + BLOCK)
            for j in range(0, i + 1, BLOCK):
                J = slice(j, j + BLOCK)
                scalar = np.einsum("iaf,jbf->iajb", x[I], x[J], optimize=True) ** (ZETA - 1)
                own = np.tensordot(y[I], y[J], axes=(2, 2))  # (i, a, u, j, b, v)
                for K, s in zip(found, (1, of[I, :, None, None] * of[J]), strict=True):
                    K[I, :, J] += np.einsum("iaujbv,iajb->iujv", own, scalar * s, optimize=True)
    for K in found:
        for i in range(0, n, BLOCK):
            K[:i, :, i : i + BLOCK] = K[i : i + BLOCK, :, :i].transpose(2, 3, 0, 1)
    return [K.reshape(n * size, n * size) for K in found]


def curve(K: np.ndarray, t: np.ndarray, sizes: Sequence[int]) -> list[float]:
    """Errors on the first N_TEST structures, in % of the rms, by the number of those trained on:
    means over random choices of these."""
    test, validation, pool = np.split(np.arange(len(t)), [N_TEST, N_TEST + N_VALIDATION])
    errors = []
    for n in sizes:
        drawn = [np.random.default_rng(1 + k).permutation(pool)[:n] for k in range(REPEATS)]
        drawn = drawn[: 1 if n == len(pool) else REPEATS]
        errors.append(float(np.mean([100 * error(K, t, own, validation, test) for own in drawn])))
    return errors


def error(K: np.ndarray, t: np.ndarray, train, validation, test) -> float:
    """Of the test structures, with the regulariser that is best for the validation structures."""
    rows = np.arange(len(K)).reshape(t.shape)
    own, y, scale = rows[train].ravel(), t[train].ravel(), np.mean(np.diag(K))
    found = []
    for alpha in REGULARISERS:
        factor = cho_factor(K[np.ix_(own, own)] + alpha * scale * np.eye(len(own)))
        w = cho_solve(factor, y)
        of_both = (
            rms(K[np.ix_(rows[some].ravel(), own)] @ w - t[some].ravel()) / rms(t[some])
            for some in (validation, test)
        )
        found.append(tuple(of_both))
    return min(found)[1]


def rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(x**2)))


def options() -> argparse.ArgumentParser:

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    parser.add_argument("--atom-sigma", nargs="+", type=float, default=ATOM_SIGMAS)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the reference data")
    add_output_option(parser)
    return parser


if __name__ == "__main__":
    main()
