# SPDX-License-Identifier: BSD-3-Clause
"""Time per atom of soap-gpr and of QUIP (through quippy-ase) for models of the same size.

One core, one thread, the same crystal, cutoff, basis size and number of sparse points; the codes
take turns, so that their ratio does not see what else the machine does. Times are CPU times.

  python benchmarks/compare_quip.py
  python benchmarks/compare_quip.py --species SiC --n-sparse 1000 --json sic.json
  python benchmarks/compare_quip.py --n-max 10 --l-max 12 --n-sparse 9000
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

from quip_potential import gap_file  # noqa: E402
from quippy.potential import Potential  # noqa: E402
from systems import LATTICE, Size, crystal, random_model  # noqa: E402

from potential import _core  # noqa: E402

CORE, MODEL, QUIP = "soap-gpr core", "soap-gpr with neighbour list", "QUIP through quippy"


def main() -> None:
    arguments = _arguments()
    size = Size(
        species=arguments.species,
        n_max=arguments.n_max,
        l_max=arguments.l_max,
        zeta=arguments.zeta,
        n_sparse=arguments.n_sparse,
        cutoff=arguments.cutoff,
    )
    atoms = crystal(size.species, arguments.atoms)
    times = alternate(evaluations(size, atoms, forces=not arguments.energy_only), arguments.seconds)
    result = {
        "benchmark": "compare_quip",
        "machine": machine(["quippy-ase", "vesin"]),
        "size": asdict(size),
        "n_atoms": len(atoms),
        "computed": "energies" if arguments.energy_only else "energies, forces, virials",
        "us_per_atom": {name: summary(t, 1e6 / len(atoms)) for name, t in times.items()},
        "quip_over": {name: ratios(times[QUIP], times[name]) for name in (CORE, MODEL)},
    }
    emit(_text(result), result, arguments.json)


def evaluations(size: Size, atoms, forces: bool) -> dict:
    """The calls to time, by name.

    quippy computes its default properties, energy and forces, whatever else is asked for; here they
    are set to the energy, so that energy only means that for QUIP too.
    """
    model = random_model(size)
    geometry = atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc
    structure, evaluator = model.environments(*geometry), _core.Evaluator(model.core, 1)
    quip = Potential("IP GAP", param_filename=str(gap_file(size)))
    quip.calculation_always_required = True
    quip.set_default_properties(["energy"])
    properties = ["energy", "forces", "stress"] if forces else ["energy"]
    return {
        CORE: lambda: evaluator.evaluate(structure, forces),
        MODEL: lambda: model.evaluate(*geometry, forces=forces),
        QUIP: lambda: quip.calculate(atoms, properties),
    }


def _text(result: dict) -> str:
    size, rows = result["size"], []
    for name, time in result["us_per_atom"].items():
        row = [name, time["median"], interval(time["quartiles"]), time["least"]]
        ratio = result["quip_over"].get(name)
        rows.append(row + ([ratio["median"], interval(ratio["quartiles"])] if ratio else ["", ""]))
    head = ["µs/atom, CPU", "median", "quartiles", "least", "QUIP/this", "quartiles"]
    count = result["us_per_atom"][QUIP]["count"]
    return (
        f"{describe(result['machine'])}\n\n"
        f"{result['n_atoms']} atoms of {size['species']}, cutoff {size['cutoff']} Å, "
        f"n_max {size['n_max']}, l_max {size['l_max']}, zeta {size['zeta']}, "
        f"{size['n_sparse']} sparse points per species; {result['computed']}; "
        f"one core, {count} rounds\n\n{table(head, rows)}"
    )


def _arguments() -> argparse.Namespace:
    default = Size()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--species", choices=LATTICE, default=default.species)
    parser.add_argument("--n-max", type=int, default=default.n_max)
    parser.add_argument("--l-max", type=int, default=default.l_max)
    parser.add_argument("--zeta", type=int, default=default.zeta)
    parser.add_argument("--n-sparse", type=int, default=default.n_sparse, help="per species")
    parser.add_argument("--cutoff", type=float, default=default.cutoff, help="Å")
    parser.add_argument("--atoms", type=int, default=512, help="at least this many")
    parser.add_argument("--energy-only", action="store_true", help="no forces, no virial")
    parser.add_argument("--seconds", type=float, default=20.0, help="time to measure for")
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
