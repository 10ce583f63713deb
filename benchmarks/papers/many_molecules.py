# SPDX-License-Identifier: BSD-3-Clause
"""Peak memory and time of fits to the energies of ever more molecules.

The molecules of QM7 are displaced at random again and again until there are as many as asked for;
their energies are of no use then, but are as many. Every fit is a process of its own, and what it
needs before the fit is taken off. Files are read in that process too.

  python benchmarks/papers/many_molecules.py
  python benchmarks/papers/many_molecules.py --molecules 10000 30000
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # common

from common import COSINE, add_output_option, describe, emit, machine, table

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
TERM = {"cutoff": 4.0, "n_max": 4, "l_max": 3, "atom_sigma": 0.4, "zeta": 2, "n_sparse": 100}
TERM |= COSINE

CHILD = """
import json, resource, sys, time
from potential import fit
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, start = peak(), time.process_time()
result = fit(json.loads(sys.argv[1]), progress=False)
print(json.dumps({"before": before, "peak": peak(), "seconds": time.process_time() - start,
                  "weights": result.model.n_weights, "steps": result.provenance["seconds"],
                  "atoms": result.provenance["train"]["atoms"]}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--molecules", type=int, nargs="+", default=[1000, 10000, 100000])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the reference data")
    add_output_option(parser)
    arguments = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for n in arguments.molecules:
            results[n] = measured(write(Path(folder) / f"{n}.xyz", n, arguments.data))
            print(f"{n}: {results[n]}", file=sys.stderr)
    rows = [
        [str(n), str(own["atoms"]), f"{own['peak'] - own['before']:.0f}",
         f"{1024 * (own['peak'] - own['before']) / n:.1f}", f"{own['seconds']:.0f}",
         f"{1e3 * own['seconds'] / n:.1f}"]
        for n, own in results.items()
    ]  # fmt: skip
    head = ["molecules", "atoms", "MiB", "KiB/molecule", "CPU s", "ms/molecule"]
    content = {"benchmark": "many_molecules", "machine": machine(["ase"]), "term": TERM}
    emit(
        f"{describe(content['machine'])}\n\n{table(head, rows)}",
        content | {"results": results},
        arguments.json,
    )


def write(path: Path, n: int, data: Path) -> Path:
    """n displaced molecules, written one by one, in a way that is quicker than ASE's."""
    import ase.io
    import numpy as np

    files = sorted((data / "QM7").glob("*.xyz"))
    if not files:
        raise SystemExit(f"{data / 'QM7'} was not found: see --data")
    frames = [atoms for file in files for atoms in ase.io.read(file, ":")]
    rng = np.random.default_rng(0)
    with path.open("w") as stream:
        for k in range(n):
            atoms = frames[k % len(frames)]
            positions = atoms.positions + 0.02 * rng.standard_normal((len(atoms), 3))
            rows = zip(atoms.symbols, positions.tolist(), strict=True)
            stream.write(f"{len(atoms)}\nenergy_pbe0_kcal={atoms.info['energy_pbe0_kcal']}\n")
            stream.writelines(f"{s} {x:.8f} {y:.8f} {z:.8f}\n" for s, (x, y, z) in rows)
    return path


def measured(file: Path) -> dict:
    """What one fit says of itself."""
    data = {"train": [str(file)], "energy_key": "energy_pbe0_kcal", "energy_unit": "kcal/mol"}
    settings = {"data": data, "terms": [TERM]}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps(settings)],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
