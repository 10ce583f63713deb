# SPDX-License-Identifier: BSD-3-Clause
"""Time per atom of a fitted model and of its compressed forms, with the deviation of the forces.

The models take turns on one core with the first structure of the data, repeated. With --quip also
a QUIP GAP of the same size (cutoff, n_max, l_max, zeta, sparse points) on the same atoms; for
silicon models of one term, whose size is all that matters.

  python benchmarks/compression.py model.sgpr test.xyz
  python benchmarks/compression.py model.sgpr test.xyz --tolerance 1e-3 1e-5 --quip --n-max 10
"""

from common import (
    add_output_option,
    alternate,
    describe,
    emit,
    machine,
    pin_to_one_core,
    ratios,
    summary,
    table,
)

pin_to_one_core()

import argparse  # noqa: E402
from dataclasses import asdict  # noqa: E402

import ase  # noqa: E402

from potential import _core  # noqa: E402
from potential.model import Model  # noqa: E402
from potential.model.compression import compress  # noqa: E402
from potential.scores.benchmark import first_structure  # noqa: E402
from potential.structures.read import read_geometries  # noqa: E402

FULL, QUIP = "as fitted", "QUIP through quippy"


def main() -> None:
    arguments = _arguments()
    model, structures = Model.load(arguments.model), read_geometries(arguments.data)
    models = {FULL: model}
    forms = {}
    for tolerance in arguments.tolerance:
        form = compress(model, structures, tolerance)
        name = f"{1e3 * tolerance:g} meV/Å"
        models[name] = form.model
        forms[name] = {
            "dimensions": [after for _, after in form.ranks.values()],
            "multiplications": form.costs[1],
            "deviation": asdict(form.deviation),
        }
    atoms = first_structure(arguments.data[0], arguments.atoms)
    calls = {name: _evaluation(m, atoms) for name, m in models.items()}
    if arguments.quip:
        calls[QUIP] = _quip(model, atoms, arguments.n_max)
    times = alternate(calls, arguments.seconds, least=3)
    slow = QUIP if arguments.quip else FULL
    result = {
        "benchmark": "compression",
        "machine": machine(),
        "model": arguments.model,
        "sparse_points": model.n_weights,
        "n_atoms": len(atoms),
        "forms": forms,
        "us_per_atom": {name: summary(t, 1e6 / len(atoms)) for name, t in times.items()},
        "slow": slow,
        "factor": {name: ratios(times[slow], t) for name, t in times.items()},
    }
    emit(_text(result), result, arguments.json)


def _evaluation(model: Model, atoms):
    structure = model.environments(atoms.numbers, atoms.positions, atoms.cell, atoms.pbc)
    evaluator = _core.Evaluator(model.core, 1)
    return lambda: evaluator.evaluate(structure, True)


def _quip(model: Model, structure, n_max: int):
    from quip_potential import gap_file
    from quippy.potential import Potential
    from systems import Size

    term = model.terms[0]
    size = Size(
        n_max=n_max,
        l_max=term["l_max"],
        zeta=term["zeta"],
        n_sparse=model.n_weights,
        cutoff=term["cutoff"],
    )
    quip = Potential("IP GAP", param_filename=str(gap_file(size)))
    quip.calculation_always_required = True
    quip.set_default_properties(["energy"])
    atoms = ase.Atoms(
        structure.numbers, structure.positions, cell=structure.cell, pbc=structure.pbc
    )
    return lambda: quip.calculate(atoms, ["energy", "forces", "stress"])


def _text(result: dict) -> str:
    rows = []
    for name, time in result["us_per_atom"].items():
        form = result["forms"].get(name)
        row = [name, time["median"], result["factor"][name]["median"]]
        if form:
            found = form["deviation"]
            row += [",".join(map(str, form["dimensions"]))]
            row += [1e3 * found[key] for key in ("force_rms", "force", "energy_per_atom")]
        rows.append(row + [""] * (7 - len(row)))
    head = ["tolerance", "µs/atom", f"{result['slow']}/this", "dimensions"]
    head += ["force RMS", "largest, meV/Å", "energy, meV/atom"]
    return (
        f"{describe(result['machine'])}\n\n{result['model']}: {result['sparse_points']} sparse "
        f"points; {result['n_atoms']} atoms, forces and virials, one core\n\n{table(head, rows)}"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="model file (*.sgpr)")
    parser.add_argument("data", nargs="+", help="structures")
    parser.add_argument("--tolerance", type=float, nargs="+", default=[1e-5, 1e-3], help="eV/Å")
    parser.add_argument("--atoms", type=int, default=500, help="at least this many")
    parser.add_argument("--quip", action="store_true", help="silicon: beside a QUIP GAP")
    parser.add_argument("--n-max", type=int, default=8, help="of the model, for QUIP")
    parser.add_argument("--seconds", type=float, default=20.0, help="time to measure for")
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
