# SPDX-License-Identifier: BSD-3-Clause
"""Time of triplet terms: evaluation per atom and rows of the regression per frame.

Crystalline silicon of 512 atoms, energies, forces and virials on one core and one thread, a model
of one triplet term; rows of one frame of 64 atoms. One setting at a time departs from cutoff 4 Å,
length_scale 1 Å, 100 sparse points.

  python benchmarks/triplets.py
"""

from common import add_output_option, describe, emit, machine, pin_to_one_core, table

pin_to_one_core()

import argparse  # noqa: E402
import statistics  # noqa: E402
import time  # noqa: E402

import numpy as np  # noqa: E402
from systems import crystal  # noqa: E402

from potential.scores.benchmark import benchmark  # noqa: E402
from potential.settings import TripletTermSettings  # noqa: E402
from potential.structures.structure import structure_from_atoms  # noqa: E402
from potential.terms import build_model  # noqa: E402
from potential.terms.triplet import TripletTerm  # noqa: E402

CASES = {
    "cutoff 3.5 Å": ("Si", {"cutoff": 3.5}),
    "cutoff 4 Å": ("Si", {}),
    "cutoff 4.5 Å": ("Si", {"cutoff": 4.5}),
    "cutoff 5 Å": ("Si", {"cutoff": 5.0}),
    "length_scale 0.5 Å": ("Si", {"length_scale": 0.5}),
    "n_sparse 400": ("Si", {"n_sparse": 400}),
    "2 species": ("SiGe", {}),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="time for each setting")
    add_output_option(parser)
    arguments = parser.parse_args()
    cases = [_measure(name, *case, arguments.seconds) for name, case in CASES.items()]
    result = {"benchmark": "triplets", "machine": machine(["vesin"]), "cases": cases}
    head = ["case", "neighbours", "triplets", "MB", "µs/atom", "list + rest", "rows ms"]
    text = f"{describe(result['machine'])}\n\n{table(head, [list(c.values()) for c in cases])}"
    emit(text, result, arguments.json)


def _measure(name: str, species: str, changes: dict, seconds: float) -> dict:
    frame = structure_from_atoms(crystal(species, 64))
    numbers = sorted(set(frame.numbers.tolist()))
    hot = structure_from_atoms(crystal(species, 64, 0.3))
    term, _ = TripletTerm.draft(
        TripletTermSettings(cutoff_function="cosine", **changes), numbers, [hot]
    )
    rng = np.random.default_rng(0)
    term["weights"] = {p: rng.normal(size=len(x)) for p, x in term["sparse_points"].items()}
    model = build_model(numbers, np.zeros(len(numbers)), [term])
    atoms = structure_from_atoms(crystal(species, 512))
    measured = benchmark(model, atoms, [1], seconds)
    triplets = measured["phases"].pop("clusters")
    times = []
    for _ in range(9):
        start = time.perf_counter()
        model.rows(model.environments(frame))
        times.append(time.perf_counter() - start)
    counts = model.environments(atoms).n_pairs / 512
    tables = [array for key, array in model.arrays.items() if ".table." in key]
    return {
        "case": name,
        "neighbors": round(counts),
        "triplets": round(counts * (counts - 1) / 2),
        "megabytes": sum(array.nbytes for array in tables) / 1e6,
        "us_per_atom": triplets,
        "rest_us_per_atom": sum(measured["phases"].values()),
        "rows_ms": 1e3 * statistics.median(times),
    }


if __name__ == "__main__":
    main()
