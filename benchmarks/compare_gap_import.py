# SPDX-License-Identifier: BSD-3-Clause
"""Time per atom of imported GAP potentials against QUIP running the same files, in the same run.

One core, one thread; the codes take turns. Times are CPU times. The largest difference of their
forces is printed beside them.

  python benchmarks/compare_gap_import.py
  python benchmarks/compare_gap_import.py --large --seconds 120
"""

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

import argparse  # noqa: E402
from dataclasses import asdict  # noqa: E402

import numpy as np  # noqa: E402
from quip_potential import gap_file  # noqa: E402
from quippy.potential import Potential  # noqa: E402
from systems import Size, crystal  # noqa: E402

from potential import _core  # noqa: E402
from potential.gap.importing import import_gap  # noqa: E402

CORE, MODEL, QUIP = "core", "with neighbour list", "QUIP"
USUAL = {"l_max": 6, "zeta": 4, "n_sparse": 1000, "cutoff": 5.0}
SMALL = [
    (Size(species=species, n_max=n_max, **USUAL), kind)
    for species, n_max, kind in [
        ("Si", 8, "soap"),
        ("SiC", 8, "soap"),
        ("Si", 8, "2b 3b soap"),
        ("Si", 8, "2b pp soap"),
        ("Si", 7, "soap_turbo"),  # QUIP warns of more functions
        ("SiC", 7, "soap_turbo"),
    ]
]
LARGE = [(Size(species="Si", n_max=10, l_max=12, zeta=4, n_sparse=9000, cutoff=5.0), "soap")]


def main() -> None:
    arguments = _arguments()
    sizes = LARGE if arguments.large else SMALL
    results = [_measure(*size, arguments) for size in sizes]
    result = {
        "benchmark": "compare_gap_import",
        "machine": machine(["quippy-ase", "vesin"]),
        "results": results,
    }
    emit(_text(result), result, arguments.json)


def _measure(size: Size, kind: str, arguments) -> dict:
    xml = gap_file(size, kind)
    model, _ = import_gap(xml)
    atoms = crystal(size.species, arguments.atoms)
    geometry = atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc
    structure, evaluator = model.environments(*geometry), _core.Evaluator(model.core, 1)
    quip = Potential("IP GAP", param_filename=str(xml))
    quip.calculation_always_required = True
    quip.set_default_properties(["energy"])
    quip.calculate(atoms, ["energy", "forces", "stress"])
    difference = float(np.abs(model.evaluate(*geometry).forces - quip.results["forces"]).max())
    times = alternate(
        {
            CORE: lambda: evaluator.evaluate(structure, True),
            MODEL: lambda: model.evaluate(*geometry),
            QUIP: lambda: quip.calculate(atoms, ["energy", "forces", "stress"]),
        },
        arguments.seconds,
    )
    return {
        "size": asdict(size),
        "descriptors": kind,
        "n_atoms": len(atoms),
        "force_difference": difference,
        "us_per_atom": {name: summary(t, 1e6 / len(atoms)) for name, t in times.items()},
        "quip_over": {name: ratios(times[QUIP], times[name]) for name in (CORE, MODEL)},
    }


def _text(result: dict) -> str:
    rows = []
    for own in result["results"]:
        size = own["size"]
        name = (
            f"{size['species']} {own['descriptors']} n_max {size['n_max']} l_max {size['l_max']} "
            f"zeta {size['zeta']} M {size['n_sparse']}"
        )
        for which in (CORE, MODEL):
            ratio = own["quip_over"][which]
            medians = [own["us_per_atom"][key]["median"] for key in (which, QUIP)]
            range_ = interval(ratio["quartiles"])
            rows.append([name, which, *medians, ratio["median"], range_, own["force_difference"]])
    head = ["model", "timed", "µs/atom", "QUIP", "QUIP/this", "quartiles", "forces differ, eV/Å"]
    return f"{describe(result['machine'])}\n\n{table(head, rows)}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--large", action="store_true", help="soap of 9000 sparse points alone")
    parser.add_argument("--atoms", type=int, default=216, help="at least this many")
    parser.add_argument("--seconds", type=float, default=20.0, help="time to measure each for")
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
