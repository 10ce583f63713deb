# SPDX-License-Identifier: BSD-3-Clause
"""Labels by a command."""

from __future__ import annotations

import fcntl
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import ase

from potential.active_learning.frames import Labelling
from potential.active_learning.label.labeller import Labeller, read_labelled
from potential.active_learning.sample.programs import reason
from potential.active_learning.settings import CommandSettings
from potential.active_learning.settings.labels import INPUT, OUTPUT
from potential.errors import SoapGprError
from potential.schema import Place
from potential.scores.predictions import write_frames


class CommandLabeller(Labeller):
    """A command for the shell, in the folder of loop.toml.

    It holds a lock as well: one that outlives a loop that was killed is waited for.
    """

    def __init__(self, settings: CommandSettings, place: Place, labelling: Labelling):
        self._command, self._labelling = settings.command, labelling
        self._home, self.batch = Path(place.source).parent, settings.batch

    def label(self, frames: Sequence[ase.Atoms], folders: Sequence[Path]) -> list[ase.Atoms]:
        folder = folders[0]
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = self._taken(folder, frames)  # of a run that ended before it was read
            if found is None:
                self._run(folder, frames, lock.fileno())
                found = read_labelled(folder / "output.xyz", frames, self._labelling)
        return found

    def _taken(self, folder: Path, frames: Sequence[ase.Atoms]) -> list[ase.Atoms] | None:
        """What is there already and whole, or None."""
        try:
            return read_labelled(folder / "output.xyz", frames, self._labelling)
        except SoapGprError:
            shutil.rmtree(folder, ignore_errors=True)
            return None

    def _run(self, folder: Path, frames: Sequence[ase.Atoms], lock: int) -> None:
        folder.mkdir(parents=True)
        paths = {INPUT: folder / "input.xyz", OUTPUT: folder / "output.xyz"}
        write_frames(paths[INPUT], frames)
        command = self._command
        for name, path in paths.items():
            command = command.replace(name, shlex.quote(str(path.resolve())))
        log = folder / "command.log"
        with log.open("w") as stream:
            code = subprocess.run(
                command,
                shell=True,
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                check=False,
                pass_fds=(lock,),
            ).returncode
        if code:
            raise SoapGprError(f"{log}: command ended with exit code {code}: {reason(log)}")
        if not paths[OUTPUT].exists():
            raise SoapGprError(f"{log}: command wrote no {paths[OUTPUT]}: {reason(log)}")
