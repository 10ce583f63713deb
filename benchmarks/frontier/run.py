# SPDX-License-Identifier: BSD-3-Clause
"""Test error against cost: our models and their peers, trained on the same frames in one run.

Each code gets the training frames of a set, one core and one thread; errors are those of the set's
test frames. Then all models of a set take turns on one cell of 512 atoms: CPU time of energy,
forces and virial. Peers: SNAP and quadratic SNAP, POD and UF3 in LAMMPS, which also runs their
fits, and GAP by QUIP's gap_fit; published errors of others have no cost. Models are kept beside the
JSON file: started again, a run goes on where it was interrupted.

  python benchmarks/frontier/run.py --sets Si Li --json frontier.json
  python benchmarks/frontier/run.py --sets Si --json frontier.json --peers SNAP GAP \\
      --variant 'fast={"preset": "fast"}' --variant 'short={"terms": [{"cutoff": 4.0}]}'
  python benchmarks/frontier/plot.py frontier.json docs/images/frontier.svg
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "accuracy")]

from common import all_cores, alternate, describe, machine, pin_to_one_core, summary  # noqa: E402

pin_to_one_core()

import argparse  # noqa: E402
import shutil  # noqa: E402
import tempfile  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import ours  # noqa: E402
import results  # noqa: E402
from compare_training import measure  # noqa: E402
from frames import TRAIN, Frames, frames_of, timed_cell  # noqa: E402
from holdout import named_settings  # noqa: E402
from peers import PEERS, Peer, Potential, peer  # noqa: E402
from sets import DATA, PRESET_VARIANTS  # noqa: E402
from zuo import PUBLISHED  # noqa: E402

SETS = ("Si", "Cu", "Li", "MoNbTaW", "water")
# Without a cost; those that are trained here are left to their own row.
LINES = ("GAP", "MTP", "ACE large")
PACKAGES = ["lammps", "quippy-ase"]


def main() -> None:
    arguments = _arguments()
    file = arguments.json
    result = results.read(file)
    result |= {"benchmark": "frontier", "machine": machine(PACKAGES)}
    variants = dict(arguments.variant or []) or PRESET_VARIANTS
    for name in arguments.sets:
        models = file.with_suffix(".models").resolve() / name
        with tempfile.TemporaryDirectory() as folder:
            frames = frames_of(name, Path(folder), arguments.share, arguments.data)
            own = _entry(result, frames)
            wanted = {f"{results.OURS} {of}": table for of, table in variants.items()}
            for model, table in wanted.items():
                _ours(own["models"], model, table, frames, _folder(models, model))
                results.save(result, file)
            for model in arguments.peers:
                _peer(own["models"], model, frames, _folder(models, model))
                results.save(result, file)
            where = {model: _folder(models, model) for model in (*wanted, *arguments.peers)}
            _time(own, where, frames, arguments.seconds)
        results.save(result, file)
        print(results.text({"sets": {name: own}}), file=sys.stderr, flush=True)
    print(f"{describe(result['machine'])}\n\n{results.text(result)}\n\nJSON: {file}")


def _entry(result: dict[str, Any], frames: Frames) -> dict[str, Any]:
    """What the JSON says of a set, with what earlier runs have found."""
    published = PUBLISHED.get(frames.name, {})
    own = result["sets"].setdefault(frames.name, {"models": {}})
    own |= {
        "n_test": len(frames.test),
        "published": {model: published[model] for model in LINES if model in published},
    }
    return own


def _ours(
    models: dict[str, Any], model: str, variant: dict[str, Any], frames: Frames, folder: Path
) -> None:
    wanted = {"settings": variant, "n_train": len(frames.train)}
    if results.is_reusable(models.get(model), wanted) and folder.exists():
        return
    print(f"{frames.name}: {model}", file=sys.stderr, flush=True)
    with all_cores():  # one thread all the same: whichever core is free
        models[model] = wanted | ours.train(frames, variant, _emptied(folder))


def _peer(models: dict[str, Any], model: str, frames: Frames, folder: Path) -> None:
    own = peer(model, frames)
    wanted = {"settings": own.settings, "n_train": len(frames.train)}
    if results.is_reusable(models.get(model), wanted) and folder.exists():
        return
    if own.reason:
        models[model] = wanted | {"left_out": own.reason}
        return
    print(f"{frames.name}: {model}", file=sys.stderr, flush=True)
    try:
        models[model] = wanted | _trained(own, model, frames, _emptied(folder))
    except SystemExit as failure:
        models[model] = wanted | {"left_out": f"its fit failed: {str(failure).splitlines()[-1]}"}


def _trained(own: Peer, model: str, frames: Frames, folder: Path) -> dict[str, Any]:
    with all_cores():
        row = measure(model, own.command(folder, frames.folder / TRAIN), folder)
    keys = ("cpu_seconds", "peak_mib")
    return {"test": errors(own.potential(folder), frames)} | {key: row[key] for key in keys}


def errors(potential: Potential, frames: Frames) -> dict[str, float]:
    """Mean absolute errors of test frames: meV/atom, and eV/Å of components."""
    energy, force = [], []
    for frame in frames.test:
        own = potential.predict(frame)
        energy.append((own[0] - frame.get_potential_energy()) / len(frame))
        force.append((own[1] - frame.get_forces()).ravel())
    return {
        "energy_mae": 1e3 * float(np.abs(energy).mean()),
        "force_mae": float(np.abs(np.concatenate(force)).mean()),
    }


def _time(own: dict[str, Any], where: dict[str, Path], frames: Frames, seconds: float) -> None:
    """CPU time per atom of the models of a set, in turns; where: the folder of each."""
    cell, calls = timed_cell(frames), {}
    for model, folder in where.items():
        if "test" not in own["models"][model]:
            continue
        if model in PEERS:
            calls[model, "us_per_atom"] = peer(model, frames).potential(folder).call(cell)
        else:
            found = ours.calls(frames, folder, cell)
            calls |= {(model, key): call for key, call in found.items()}
    times = alternate(calls, seconds, least=3)
    for (model, key), values in times.items():
        own["models"][model][key] = summary(values, 1e6 / len(cell))
    own["n_atoms"] = len(cell)


def _folder(models: Path, model: str) -> Path:
    """Of one model; LAMMPS takes no spaces in the names of files."""
    return models / model.replace(",", "").replace(" ", "_")


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument(
        "--variant",
        type=named_settings,
        action="append",
        metavar="NAME=JSON",
        help="of ours: a table of fit.toml; the presets if none is given",
    )
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    parser.add_argument("--share", type=float, default=1.0, help="of the training frames")
    parser.add_argument("--seconds", type=float, default=20.0, help="of timing, for each set")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument(
        "--json", type=Path, required=True, metavar="FILE", help="read and written: see above"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
