# SPDX-License-Identifier: BSD-3-Clause
"""Learn water from 20 labelled frames: a committee chooses what is labelled next, or chance does.

  python examples/active_learning/run.py
  python examples/active_learning/run.py --seeds 1 --labels 40
  python examples/active_learning/run.py --thin 16 --begin 6 --n 3 --labels 6

The labelled frames of examples/water are divided into a test set, and for each seed into frames to
begin with and a pool, whose labels are looked up only for frames that are selected. Everything is
in --folder, with a page of each loop; ended at any point, the same command goes on. The model of
all frames is what the loops are held against. Writes learning.json and learning.png there.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ase.io
import numpy as np
from curves import plot, summary, table

HERE = Path(__file__).resolve().parent
WATER = HERE.parent / "water"
STRATEGIES = ("committee", "random")
SOAP_GPR = str(Path(sys.executable).parent / "soap-gpr")
HELD_OUT = 4  # one frame in so many of what test.xyz of the water lacks


def main() -> None:
    asked = arguments()
    test, isolated, rest = divided(asked.thin)
    asked.folder.mkdir(parents=True, exist_ok=True)
    require_same(asked)
    full = asked.folder / "full"
    jobs = [prepared_fit(full, [*isolated, *rest], test)]
    for seed in range(asked.seeds):
        order = np.random.default_rng(seed).permutation(len(rest))
        start = [rest[k] for k in np.sort(order[: asked.begin])]
        pool = [rest[k] for k in np.sort(order[asked.begin :])]
        for by in STRATEGIES:
            folder = asked.folder / f"{by}_{seed}"
            jobs.append(prepared_loop(folder, [*isolated, *start], pool, test, by, seed, asked))
    with ThreadPoolExecutor(asked.workers) as workers:
        list(workers.map(run, jobs))
    found = summary(asked.folder, STRATEGIES, asked.seeds)
    (asked.folder / "learning.json").write_text(json.dumps(found, indent=1) + "\n")
    plot(found, asked.folder / "learning.png")
    print(table(found))
    print(f"wrote {asked.folder / 'learning.png'}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("active_water"))
    parser.add_argument("--seeds", type=int, default=3, help="other frames to begin with")
    parser.add_argument("--begin", type=int, default=20, help="frames to begin with")
    parser.add_argument("--n", type=int, default=20, help="frames labelled per generation")
    parser.add_argument("--labels", type=int, default=95, help="frames labelled in all")
    parser.add_argument("--thin", type=int, default=1, help="take one frame in so many alone")
    parser.add_argument("--workers", type=int, default=2, help="loops at a time, of one core each")
    return parser.parse_args()


def require_same(asked: argparse.Namespace) -> None:
    """End when the folder has loops of other frames: these would go on with them."""
    record = asked.folder / "options.json"
    own = {name: getattr(asked, name) for name in ("begin", "n", "thin")}
    if not record.exists():
        record.write_text(json.dumps(own) + "\n")
    found = json.loads(record.read_text())
    if found != own:
        said = " ".join(f"--{name} {value}" for name, value in found.items())
        sys.exit(f"run.py: {asked.folder} was begun with {said}; take these or another --folder")


def divided(thin: int) -> tuple[list, list, list]:
    """Test frames, isolated atoms, and the frames to learn from."""
    test = ase.io.read(WATER / "test.xyz", f"::{2 * thin}")
    isolated, rest, kinds = [], [], {}
    for atoms in ase.io.read(WATER / "train.xyz", ":"):
        kinds.setdefault(atoms.info["config_type"], []).append(atoms)
    for kind, frames in kinds.items():
        if kind == "isolated_atom":
            isolated = frames
        elif kind == "liquid":  # whose test frames are of trajectories of their own
            rest += frames[::thin]
        else:
            own = frames[::thin]
            test += own[1::HELD_OUT]
            rest += [atoms for k, atoms in enumerate(own) if k % HELD_OUT != 1]
    return test, isolated, rest


def prepared_loop(folder, start, pool, test, by, seed, asked) -> list[list[str]]:
    """Write the folder of a loop; its commands."""
    uncertain = by != "random"
    write(folder, {"start": start, "pool": pool, "test": test}, uncertain)
    text = (HERE / "loop.toml").read_text()
    for key, value in {"labels": asked.labels, "n": asked.n, "by": f'"{by}"'}.items():
        text = re.sub(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.M)
    text = text.replace("[loop]\n", f"[loop]\nseed = {seed}\n")
    (folder / "loop.toml").write_text(text)
    return [["learn", str(folder / "loop.toml")]]


def prepared_fit(folder, train, test) -> list[list[str]]:
    """Write the folder of a fit to all frames; its commands."""
    write(folder, {"start": train, "test": test}, uncertain=False)
    model = str(folder / "water.sgpr")
    fit = [] if Path(model).exists() else [["fit", str(folder / "fit.toml"), "-o", model]]
    errors = str(folder / "errors.json")
    return [*fit, ["evaluate", model, str(folder / "test.xyz"), "--json", errors]]


def write(folder, files, uncertain) -> None:
    """Frames and fit.toml, unless they are there; a model that says no errors learns quicker."""
    folder.mkdir(exist_ok=True)
    for name, frames in files.items():
        ase.io.write(folder / f"{name}.xyz", frames)
    text = (HERE / "fit.toml").read_text()
    (folder / "fit.toml").write_text(text if uncertain else text.split("[uncertainty]")[0])


def run(commands: list[list[str]]) -> None:
    """Run soap-gpr with each, on one core; its output goes on the screen."""
    for command in commands:
        print("soap-gpr", shlex.join(command), flush=True)
        one_core = os.environ | {"OMP_NUM_THREADS": "1"}
        if subprocess.run([SOAP_GPR, *command], env=one_core).returncode:
            sys.exit(f"run.py: soap-gpr {shlex.join(command)}: ended with an error, see above")


if __name__ == "__main__":
    main()
