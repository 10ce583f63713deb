# SPDX-License-Identifier: BSD-3-Clause
"""Duplicates, outliers and maps of the reference data sets; time and memory of many frames.

python benchmarks/data_sets.py --plots docs/images
python benchmarks/data_sets.py --frames 1000 3000 10000
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DATA = Path(__file__).parents[2] / "shared" / "data"
TOML = """[[terms]]
cutoff = 5.0
cutoff_width = 0.5
cutoff_function = "cosine"
n_max = 6
l_max = 4
zeta = 2
"""
# name: files of one set, files of the other
SETS = {
    "mlearn_Si": ("train.xyz", "test.xyz"),
    "mlearn_Li": ("train.xyz", "test.xyz"),
    "mlearn_Cu": ("train.xyz", "test.xyz"),
    "MoNbTaW": ("train.xyz", None),
    "carbon_GAP17_100": ("carbon_reduced_100.xyz", None),
    "GeSbTe_mace": ("validate.xyz", None),
}
PLOTTED = "mlearn_Si"
WORST = 5  # pairs with energies apart that are looked at once more


def run(*words: object) -> str:
    """What the command prints, run as people do."""
    line = [sys.executable, "-m", "potential.cli", *map(str, words)]
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout


def survey(name: str, settings: Path, plots: Path | None) -> None:
    first, second = (None if own is None else DATA / name / own for own in SETS[name])
    to = ["--to", second] if second else []
    plot = ["--plot", plots / "duplicates.png"] if plots and name == PLOTTED else []
    begin = time.perf_counter()
    said = run("describe", first, "--settings", settings, "--duplicates", "--json", "-", *to, *plot)
    found = json.loads(said)
    between = sum(own["between"] for own in found["duplicates"])
    apart = sum(abs(own["energy_difference"] or 0) > 1e-4 for own in found["duplicates"])
    print(
        f"{name}: {found['structures']} structures, {len(found['duplicates'])} duplicates, "
        f"{between} of them between the sets, {apart} with energies > 0.1 meV/atom apart, "
        f"{len(found['outliers'])} outliers; {time.perf_counter() - begin:.0f} s",
        flush=True,
    )
    for own in found["duplicates"][: min(apart, WORST)]:
        told_apart(own, settings.parent)


def told_apart(pair: dict, folder: Path) -> None:
    """Whether bispectra see a difference where power spectra see none and energies differ."""
    import numpy as np

    settings, out = folder / "bispectrum.toml", folder / "distances.npz"
    settings.write_text(TOML.replace("n_max = 6", "n_max = 4") + 'representation = "bispectrum"\n')
    one, other = (pair[key].replace("#", "@") for key in ("frame", "original"))
    line = ["describe", one, "--to", other, "--settings", settings, "--distances", "-o", out]
    run(*line)
    print(
        f"  {Path(one).name}, {Path(other).name}: {1e3 * pair['energy_difference']:.2f} meV/atom, "
        f"distance of bispectra {np.load(out)['distances'][0, 0]:.2g}",
        flush=True,
    )


def draw(settings: Path, plots: Path) -> None:
    files = [DATA / PLOTTED / own for own in SETS[PLOTTED]]
    run("map", *files, "--settings", settings, "--by", "config_type", "-o", plots / "map.png")


def many(settings: Path, frames: list[int]) -> None:
    """Time and peak memory of the search for duplicates in so many rattled frames of MoNbTaW."""
    import ase.io
    import numpy as np

    all_frames, rng = ase.io.read(DATA / "MoNbTaW" / "train.xyz", ":"), np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for n in frames:
            path, some = Path(folder) / f"{n}.xyz", []
            for k in range(n):
                atoms = all_frames[k % len(all_frames)].copy()
                atoms.positions += 0.02 * rng.standard_normal(atoms.positions.shape)
                some.append(atoms)
            ase.io.write(path, some)
            line = ["describe", path, "--settings", settings, "--duplicates", "--json", "-"]
            measured(f"{n} frames, {sum(map(len, some))} atoms: duplicates", line)
            line = ["map", path, "--settings", settings, "-o", Path(folder) / "map.html"]
            measured(f"{n} frames: map", [*line, "--points", n])


def measured(what: str, line: list) -> None:
    words = [sys.executable, "-m", "potential.cli", *map(str, line)]
    begin = time.perf_counter()
    done = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(done.pid, 0)
    assert status == 0, what
    print(
        f"{what}: {time.perf_counter() - begin:.0f} s, {used.ru_utime:.0f} s of CPU, "
        f"{used.ru_maxrss / 1024:.0f} MiB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="write the two figures here")
    parser.add_argument("--frames", type=int, nargs="+", metavar="N", help="time so many instead")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "fit.toml"
        settings.write_text(TOML)
        if args.frames:
            many(settings, args.frames)
            return
        if args.plots:
            draw(settings, args.plots)
        for name in SETS:
            survey(name, settings, args.plots)


if __name__ == "__main__":
    main()
