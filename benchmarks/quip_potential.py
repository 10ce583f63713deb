# SPDX-License-Identifier: BSD-3-Clause
"""A QUIP GAP potential of a given size, made by gap_fit and kept in the cache folder.

gap_fit is given energies only: it then needs no descriptor gradients and takes seconds. Beyond 1000
sparse points, where its solver would take minutes, the points and weights of the fit are repeated.
What the potential predicts does not matter for its cost.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
from common import beside, cache_folder
from systems import Size, crystal, training_frames

FITTED = 1000  # sparse points per species that gap_fit chooses at most
COORDINATES = re.compile(r"<gpCoordinates .*?</gpCoordinates>", re.DOTALL)
POINT = re.compile(r'<sparseX i="\d+"(.*?)/>')


def gap_file(size: Size, kind: str = "soap") -> Path:
    """The XML file of a GAP of that size, trained if the cache does not have it.

    kind: soap, soap_turbo, or "2b 3b soap" and "2b pp soap" with sparse points of 20 pairs and of
    50 angles or 200 clusters of three (pp) within 4 Å beside it.
    """
    text = repr(size) if kind == "soap" else f"{size!r} {kind}, few points of few atoms"
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    folder = cache_folder() / f"gap-{digest}"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=cache_folder()) as work:
            _train(replace(size, n_sparse=min(size.n_sparse, FITTED)), kind, Path(work))
            _repeat_points(size.n_sparse, Path(work))
            shutil.copytree(work, folder.with_suffix(".partial"), dirs_exist_ok=True)
        os.replace(folder.with_suffix(".partial"), folder)
    return folder / "gap.xml"


def gap_fit_command(
    descriptors: str, labels: Mapping[str, str], sigma: str, reference: str = "e0=0.0"
) -> list[str]:
    """gap_fit of train.xyz to gap.xml. labels: names of energy, force and virial in the file,
    "none" for what is not to be read; sigma: energy, force, virial, hessian; reference: energies of
    lone atoms. Raises SystemExit where gap_fit is not installed."""
    program = beside("gap_fit")
    if not program:
        raise SystemExit("gap_fit was not found: pip install quippy-ase")
    return [
        program,
        "atoms_filename=train.xyz",
        f"gap={{{descriptors}}}",
        reference,
        *(f"{label}_parameter_name={name}" for label, name in labels.items()),
        f"default_sigma={{{sigma}}}",
        "sparse_jitter=1.0e-8",
        "do_copy_at_file=F",
        "sparse_separate_file=T",
        "gp_file=gap.xml",
    ]


def _train(size: Size, kind: str, folder: Path) -> None:
    rng = np.random.default_rng(0)
    frames = training_frames(size)
    for frame in frames:
        frame.info["dft_energy"] = float(rng.normal(scale=0.01 * len(frame)))
    ase.io.write(folder / "train.xyz", frames, format="extxyz")
    labels = {"energy": "dft_energy", "force": "none", "virial": "none"}
    command = gap_fit_command(_descriptors(size, kind), labels, "0.01 0.1 0.1 0.0")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode or not (folder / "gap.xml").exists():
        raise SystemExit(f"gap_fit failed:\n{(done.stdout + done.stderr)[-3000:]}")


def _descriptors(size: Size, kind: str) -> str:
    sparse = (
        f"l_max={size.l_max} zeta={size.zeta} delta=1.0 covariance_type=dot_product "
        f"sparse_method=random n_sparse={size.n_sparse}"
    )
    if kind == "soap_turbo":
        species = sorted(set(crystal(size.species, 8).numbers.tolist()))

        def each(value):
            return "{{" + " ".join([str(value)] * len(species)) + "}}"

        listed = "{{" + " ".join(map(str, species)) + "}}"
        text = (
            f"soap_turbo {sparse} rcut_hard={size.cutoff} basis=poly3 compress_mode=trivial "
            f"rcut_soft={size.cutoff - 0.5} alpha_max={each(size.n_max)} radial_enhancement=1 "
            f"atom_sigma_r={each(size.atom_sigma)} atom_sigma_t={each(size.atom_sigma)} "
            f"n_species={len(species)} species_Z={listed} add_species=F"
        )
        return ":".join(f"{text} central_index={k + 1}" for k in range(len(species)))
    soap = (
        f"soap cutoff={size.cutoff} cutoff_transition_width={size.cutoff_width} {sparse} "
        f"atom_sigma={size.atom_sigma} n_max={size.n_max}"
    )
    if kind == "soap":
        return soap
    few = "cutoff=4.0 covariance_type=ard_se delta=1.0 theta_uniform=1.0 sparse_method=uniform"
    pairs = f"distance_2b {few} n_sparse=20"
    if kind == "2b 3b soap":
        return f"{pairs} : angle_3b {few} n_sparse=50 : {soap}"
    rough = few.replace("ard_se", "pp").replace("theta_uniform=1.0", "theta_uniform=2.5")
    return f"{pairs} : distance_Nb order=3 {rough} n_sparse=200 : {soap}"


def _repeat_points(n_sparse: int, folder: Path) -> None:
    """Gives every soap descriptor of gap.xml n_sparse points by repeating those it has."""

    def repeated(match: re.Match) -> str:
        block = match.group()
        points = POINT.findall(block)
        if len(points) == n_sparse or not re.search(r"<descriptor>\s*soap", block):
            return block
        file = folder / re.search(r'sparseX_filename="(.*?)"', block).group(1)
        values = file.read_text().splitlines(keepends=True)
        length = n_sparse * (len(values) // len(points))
        file.write_text("".join((values * (n_sparse // len(points) + 1))[:length]))
        checksum = hashlib.md5(file.read_bytes()).hexdigest()
        lines = [f'<sparseX i="{k + 1}"{points[k % len(points)]}/>' for k in range(n_sparse)]
        head, tail = block[: block.index("<sparseX")], block[block.rindex("<sparseX") :]
        head = re.sub(r'n_sparseX="\d+"', f'n_sparseX="{n_sparse}"', head)
        head = re.sub(r'sparseX_md5sum="\w+"', f'sparseX_md5sum="{checksum}"', head)
        return head + "\n".join(lines) + tail[tail.index("/>") + 2 :]

    xml = folder / "gap.xml"
    xml.write_text(COORDINATES.sub(repeated, xml.read_text()))
