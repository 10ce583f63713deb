# SPDX-License-Identifier: BSD-3-Clause
"""Errors with the default noise levels and with levels that the fit finds, over many sets.

default: [noise] as it stands. auto: noise = "auto", one factor for all levels. types: a factor for
each config_type. labels: one for energies and one for forces, with delta, as [tune] finds them;
this needs rows of its own, and is made only when it is asked for.

With --held-out the errors are those on a sixth of the training frames, for choices; without, those
on test frames, which are only reported. Sets without a test file are divided as in other_sets.py.
Virials are left out. One pass over the rows of a set serves all its fits.

  python benchmarks/accuracy/auto_noise.py --held-out
  python benchmarks/accuracy/auto_noise.py --sets Si Li --n-sparse 1000 --frames 10000
"""

import argparse
import math
import multiprocessing
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import ase.io
from common import add_output_option, describe, emit, machine, table
from holdout import divide
from other_sets import SETS as OTHER_SETS
from other_sets import Split, files_of, stratified
from zuo import DATA

from potential import fit
from potential.scores.metrics import ALL
from potential.settings import FitSettings
from potential.settings.file import as_settings
from potential.validation.cross_validation import FoldFactors
from potential.validation.marginal_likelihood import maximum_likelihood
from potential.validation.row_store import prepare, read_data

SETS = {
    "Si": Split("mlearn_Si/train.xyz", "mlearn_Si/test.xyz"),
    "Cu": Split("mlearn_Cu/train.xyz", "mlearn_Cu/test.xyz"),
    "Li": Split("mlearn_Li/train.xyz", "mlearn_Li/test.xyz"),
    **OTHER_SETS,
    "carbon": Split("carbon_GAP17_100/carbon_reduced_100.xyz", n_train=70, n_test=30),
    "ethanol": Split("ethanol_rMD17/ethanol_train_0.xyz", "ethanol_rMD17/ethanol_train_1.xyz"),
    "GeSbTe": Split("GeSbTe_mace/validate.xyz", n_train=100, n_test=50),
    "PbTe": Split("PbTe_NEP/train.xyz", n_train=17, n_test=8),
    "methane": Split("methane/methane_100_EF.xyz", n_train=70, n_test=30),
    "charged_dimers": Split("charged_dimers/charge-charge.xyz", n_train=90, n_test=40),
}
KEYS = {"carbon": {"forces_key": "force"}, "PbTe": {"forces_key": "force"}}
NO_VIRIALS = {"virial_per_atom": math.inf}
AUTO = {"energy_per_atom": "auto", "force": "auto"} | NO_VIRIALS


def main() -> None:
    arguments = _arguments()
    results, context = {}, multiprocessing.get_context("spawn")
    for name in arguments.sets:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            results[name] = pool.submit(of_set, name, arguments).result()
        print(_table({name: results[name]}), end="\n\n", file=sys.stderr, flush=True)
    information = machine(["scipy"])
    result = {
        "benchmark": "accuracy/auto_noise",
        "machine": information,
        "held_out": arguments.held_out,
        "n_sparse": arguments.n_sparse,
        "frames": arguments.frames,
        "units": {"energy": "meV/atom", "force": "meV/Å"},
        "sets": results,
    }
    where = "held-out training frames" if arguments.held_out else "test frames"
    head = f"{describe(information)}\nerrors on {where}, {arguments.n_sparse} sparse points"
    emit(f"{head}\n\n{_table(results)}", result, arguments.json)


def of_set(name: str, arguments: argparse.Namespace) -> dict:
    """Errors of all fits to a set."""
    with tempfile.TemporaryDirectory() as folder:
        train, test = files_of(SETS[name], arguments.data, Path(folder))
        train = _fewer(train, Path(folder) / "fewer.xyz", arguments.frames)
        if arguments.held_out:
            data = divide(train, Path(folder))
        else:
            own = _fewer(test, Path(folder) / "tested.xyz", arguments.frames)
            data = {"train": [str(train)], "test": [str(own)]}
        data |= KEYS.get(name, {})
        base = {"data": data, "terms": [{"n_sparse": arguments.n_sparse}]}
        types = sorted({_type(frame) for frame in ase.io.read(data["train"][0], ":")})
        by_type = dict.fromkeys(types, AUTO)
        variants = {"default": NO_VIRIALS, "auto": AUTO}
        if len(types) > 1:
            variants["types"] = AUTO | {"config_type": by_type}
        factor = Path(folder) / "fit.factor"
        found = {
            key: _errors(fit(base | {"noise": noise}, factor=factor, progress=False))
            for key, noise in variants.items()
            if key in arguments.variants
        }
        if "labels" in arguments.variants:
            found["labels"] = _errors(
                fit(label_levels(base | {"noise": NO_VIRIALS}), progress=False)
            )
        return found


def label_levels(settings: dict) -> FitSettings:
    """The settings with the most likely levels of energies and of forces, and delta."""
    own = as_settings(settings)
    factors = FoldFactors(prepare(own, read_data(own)), 2)
    return maximum_likelihood(factors, own, delta=True)


def _fewer(file: Path, to: Path, n: int) -> Path:
    """At most about n frames of a file, of every config_type the same share."""
    frames = ase.io.read(file, ":")
    if len(frames) <= n:
        return file
    chosen, _ = stratified([_type(frame) for frame in frames], n, 0)
    ase.io.write(to, [frames[k] for k in chosen])
    return to


def _type(frame: ase.Atoms) -> str:
    return frame.info.get("config_type", "default")


def _errors(fitted) -> dict:
    energy, force = (fitted.test_errors[ALL].get(label) for label in ("energy", "force"))
    record = fitted.provenance
    return {
        "n_train": len(fitted.train),
        "n_test": len(fitted.test),
        "energy_mae": 1e3 * energy.mae,
        "energy_rmse": 1e3 * energy.rmse,
        "force_mae": 1e3 * force.mae if force else None,
        "force_rmse": 1e3 * force.rmse if force else None,
        "residual_per_label": record["residual_per_label"],
        "noise": record.get("noise", []),
        "seconds": record["seconds"],
        "warnings": fitted.warnings,
    }


def _table(results: dict) -> str:
    head = ["", "noise", "train / test", "E MAE meV/atom", "E RMSE", "F MAE meV/Å", "F RMSE"]
    rows = []
    for name, fits in results.items():
        for key, own in fits.items():
            size = f"{own['n_train']} / {own['n_test']}"
            errors = [own[k] for k in ("energy_mae", "energy_rmse", "force_mae", "force_rmse")]
            levels = _levels(own["noise"][0]) if len(own["noise"]) == 1 else ""
            rows.append([name, key, size, *errors, own["residual_per_label"], levels])
    return table([*head, "residual per label", "levels"], rows)


def _levels(found: dict) -> str:
    return " ".join(f"{level:.2g}" for level in found["levels"].values())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    variants = ("default", "auto", "types", "labels")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--variants", nargs="+", choices=variants, default=variants[:3])
    parser.add_argument("--held-out", action="store_true", help="errors for choices")
    parser.add_argument("--n-sparse", type=int, default=300, help="per species; default 300")
    parser.add_argument("--frames", type=int, default=200, help="at most, of each kind")
    parser.add_argument("--data", type=Path, default=DATA)
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
