# SPDX-License-Identifier: BSD-3-Clause
"""Runs of i-PI."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import ase
import ase.io
import numpy as np

from potential.active_learning.physical import STOPPED
from potential.active_learning.sample.dynamics import (
    TEMPERATURE,
    Input,
    require_program,
    temperature_of,
)
from potential.active_learning.sample.programs import reason, run_together
from potential.active_learning.sample.sampler import Known, Sampled, Sampler, Starts, Task
from potential.active_learning.settings import IpiSettings
from potential.errors import SoapGprError
from potential.schema import Place

START, ADDRESS, SEED, OUTPUT = "start", "address", "seed", "output"
PREFIX = "/tmp/ipi_"  # i-PI's sockets_prefix, and that of soap-gpr drive
_NAMES = (START, ADDRESS, SEED, OUTPUT, TEMPERATURE)
_OUTPUT, _LOG, _SOCKET = "out", "i-pi.log", "socket"
_count = itertools.count()


class IpiSampler(Sampler):
    """An input of i-PI with one socket, which clients of soap-gpr drive serve."""

    kind = "ipi"

    def __init__(self, settings: IpiSettings, place: Place, known: Known):
        self._settings = settings
        self._input = Input(settings, place, (START, ADDRESS, OUTPUT))
        unknown = sorted(self._input.names - {*_NAMES})
        if unknown:
            raise place.at("input").says(
                f"found ${{{unknown[0]}}} in {self._input.path}, expected "
                + ", ".join(f"${{{name}}}" for name in _NAMES)
            )
        self._prefix, self._committee = _socket_of(self._input, place.at("input"))
        self._place, self._starts = place, Starts(settings.structures, known, place)
        self._ipi = require_program("i-pi", "ipi", place)
        self.n_runs = settings.runs

    def run(self, task: Task) -> Sampled:
        start = self._starts.draw(np.random.default_rng(task.seed))
        folder = task.folder
        ase.io.write(folder / "start.xyz", start, format="extxyz")
        address = f"soap-gpr-learn-{os.getpid()}-{next(_count)}"
        (folder / _SOCKET).write_text(self._prefix + address)
        values = {START: "start.xyz", ADDRESS: address, SEED: str(task.seed), OUTPUT: _OUTPUT}
        text = self._input.filled(values | temperature_of(self._settings, task.run))
        (folder / "input.xml").write_text(text, "utf-8")
        client = [sys.executable, "-m", "potential.cli", "drive", str(task.model.resolve())]
        client += ["--template", "start.xyz", "--unix", address, "--timeout", "inf"]
        client += ["--prefix", self._prefix, *self._committee]
        commands: dict[Path, list[str]] = {folder / _LOG: [self._ipi, "input.xml"]}
        commands |= {folder / f"drive_{k}.log": client for k in range(self._settings.clients)}
        try:
            codes = run_together(commands)
        finally:
            remove_socket(folder)
        failed = next((log for log, code in codes.items() if code), None)
        why = reason(failed) if failed else ""
        frames = read_trajectories(folder, start)
        if not frames:
            why = why or "its output has to be positions in xyz files under ${output}"
            raise self._place.at("input").says(
                f"{self._input.path}: i-PI wrote no structure: {why} ({failed or folder / _LOG})"
            )
        if failed:
            return Sampled(frames, events=[STOPPED], said=f"{failed}: {why}")
        return Sampled(frames)


def _socket_of(own: Input, place: Place) -> tuple[str, list[str]]:
    """What is in front of the address of the one socket of an input, and what its clients are
    asked for. Raises SettingError where there is none that they can serve."""
    try:
        root = ElementTree.fromstring(own.text)
    except ElementTree.ParseError as error:
        raise place.says(f"{own.path} is not XML: {error}") from None
    placeholder = f"${{{ADDRESS}}}"
    sockets = [
        socket
        for socket in root.iter("ffsocket")
        if socket.findtext("address", "").strip() == placeholder
    ]
    if len(sockets) != 1 or sockets[0].get("mode", "inet").strip() != "unix":
        raise place.says(
            f'found no <ffsocket mode="unix"> alone with <address>{placeholder}</address> in '
            f"{own.path}, expected one"
        )
    if sockets[0] in list(root.iterfind(".//ffcommittee/ffsocket")):  # where i-PI has no prefix
        return PREFIX, ["--uncertainty", "forces"]
    return root.get("sockets_prefix", PREFIX), []


def remove_socket(folder: Path) -> None:
    """Of a run that was ended in this folder, if one is left."""
    with contextlib.suppress(FileNotFoundError):
        Path((folder / _SOCKET).read_text()).unlink()


def read_trajectories(folder: Path, start: ase.Atoms) -> list[ase.Atoms]:
    """The structures of all beads in i-PI's files of positions, with the boundary of the start."""
    frames = []
    for path in sorted(folder.glob(f"{_OUTPUT}.*")):
        if path.suffix in (".xyz", ".extxyz") and "positions" in path.name:
            frames += [_like(start, own) for own in _trajectory(path)]
    return frames


def _trajectory(path: Path) -> list[Any]:
    from ipi import read_trajectory

    try:
        return read_trajectory(str(path), format=path.suffix[1:])
    except Exception as error:  # also of a file that ends amid a frame
        raise SoapGprError(f"{path}: i-PI cannot read it: {error}") from None


def _like(start: ase.Atoms, frame: ase.Atoms) -> ase.Atoms:
    found = ase.Atoms(start.numbers, frame.positions, cell=frame.cell, pbc=start.pbc)
    found.info |= start.info
    return found
