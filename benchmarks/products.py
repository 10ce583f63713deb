#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A whole evaluation, and the design rows of a fit, beside their matrix products alone.

Energies and forces cannot do without two products with the matrix of sparse points, design rows
not without one. numpy's BLAS does them for all atoms at once, in turns with ours. Run it with the
Python of each build that is to be compared, from anywhere:

  python benchmarks/products.py
  python benchmarks/products.py --avx2       # BLAS with AVX2, on a processor that has more
"""

import os
import sys

from common import (
    add_output_option,
    alternate,
    describe,
    emit,
    interval,
    machine,
    pin_to_one_core,
    ratios,
    summary,
    table,
)

pin_to_one_core()
if "--avx2" in sys.argv:
    os.environ["OPENBLAS_CORETYPE"] = "Haswell"

import argparse  # noqa: E402

import numpy as np  # noqa: E402
from systems import Size, crystal, random_model  # noqa: E402

from potential import _core  # noqa: E402

OURS, GEMM = "soap-gpr core", "the products alone, numpy's BLAS"
CASES = {
    "Si, n 8, l 6, zeta 4, M = 1000": Size(),
    "the same, cutoff 6 Å": Size(cutoff=6.0),
    "SiC, M = 1000 per species": Size(species="SiC"),
}
ROWS_ATOMS = 64


def evaluation(size: Size, n_atoms: int, seconds: float) -> dict:
    """The whole evaluation with forces beside K = P Xᵀ and G = A X for all atoms at once."""
    atoms, model = crystal(size.species, n_atoms), random_model(size)
    structure = model.environments(atoms)
    evaluator, X = _core.Evaluator(model.core, 1), model.sparse_points(0)[0]
    P = np.random.default_rng(0).normal(size=(len(atoms), X.shape[1]))
    K, G = np.empty((len(atoms), len(X))), np.empty_like(P)

    def products() -> None:
        np.matmul(P, X.T, out=K)
        np.matmul(K, X, out=G)

    times = alternate({OURS: lambda: evaluator.evaluate(structure, True), GEMM: products}, seconds)
    profiles = [evaluator.profile(structure) for _ in times[OURS]]
    result = _compared(times, len(atoms), 4 * X.size * len(atoms))
    phases = {name: min(own[name] for own in profiles) for name in profiles[0]}
    result["phases"] = {name: 1e6 * least / len(atoms) for name, least in phases.items()}
    result["gflops"]["kernel"] = 4e-9 * X.size * len(atoms) / phases["kernel"]
    return result


def rows(size: Size, seconds: float) -> dict:
    """Design rows of a small frame with forces and virial beside the product of all gradients."""
    atoms, model = crystal(size.species, ROWS_ATOMS), random_model(size)
    structure, X = model.environments(atoms), model.sparse_points(0)[0]
    centers = np.arange(len(atoms), dtype=np.uint64)
    gradients = _core.feature_gradients(model.core, 0, structure, centers)[-1]
    part = -(-len(gradients) // 8)
    dots = np.empty((part, len(X)))

    def product() -> None:
        for begin in range(0, len(gradients), part):
            own = gradients[begin : begin + part]
            np.matmul(own, X.T, out=dots[: len(own)])

    ours = {OURS: lambda: _core.soap_rows(model.core, 0, structure, True), GEMM: product}
    return _compared(alternate(ours, seconds), len(atoms), 2 * X.size * len(gradients))


def _compared(times: dict, n_atoms: int, flop: int) -> dict:
    return {
        "us_per_atom": {name: summary(t, 1e6 / n_atoms) for name, t in times.items()},
        "gflops": {"BLAS": 1e-9 * flop / min(times[GEMM])},
        "total_over_products": ratios(times[OURS], times[GEMM]),
    }


def main() -> None:
    arguments = _arguments()
    found = {name: evaluation(size, 512, arguments.seconds) for name, size in CASES.items()}
    found |= {
        f"rows: {name}": rows(size, arguments.seconds)
        for name, size in CASES.items()
        if size.species == "Si"
    }
    lines = []
    for name, own in found.items():
        ratio, us = own["total_over_products"], own["us_per_atom"]
        lines.append([name, us[OURS]["median"], us[GEMM]["median"], ratio["median"]])
        lines[-1] += [interval(ratio["quartiles"]), own["gflops"]["BLAS"]]
        lines[-1].append(own["gflops"].get("kernel"))
    head = [
        "µs/atom, CPU time",
        "ours",
        "products",
        "ratio",
        "quartiles",
        "BLAS, GFLOP/s",
        "kernel",
    ]
    blas = os.environ.get("OPENBLAS_CORETYPE", "as it comes")
    information = machine() | {"vector_width": _core.vector_width(), "blas": blas}
    built = f"built for vectors of {_core.vector_width()} numbers; kernels of OpenBLAS: {blas}"
    text = f"{describe(information)}\n{built}\n\n{table(head, lines)}"
    emit(text, {"benchmark": "products", "machine": information, "cases": found}, arguments.json)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--avx2", action="store_true", help="BLAS with AVX2")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each case (default: 10)")
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
