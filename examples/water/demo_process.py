# SPDX-License-Identifier: BSD-3-Clause
"""Programs run by the demo: one log each, progress while they run, none left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

BIN = Path(sys.executable).parent  # lmp, i-pi, mpiexec and soap-gpr of this environment
POLL = 0.25  # seconds between two looks at a running program
LINE_EVERY = 15.0  # seconds between two lines of progress where there is no terminal

Fraction = Callable[[], float]  # how much is done, from 0 to 1


class DemoError(Exception):
    """One sentence for the user."""


class Progress:
    """One line that is rewritten on a terminal; elsewhere a new line now and then."""

    def __init__(self, terminal: bool | None = None, every: float = LINE_EVERY) -> None:
        self.terminal = sys.stdout.isatty() if terminal is None else terminal
        self.every = every  # seconds between two lines
        self.began = self.shown = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self.began

    def update(self, fraction: float | None) -> None:
        """Show how much is done, or only the time when that is not known."""
        if not self.terminal and time.monotonic() - self.shown < self.every:
            return
        self.shown = time.monotonic()
        text = f"      {self.seconds:4.0f} s"
        if fraction:
            left = self.seconds * (1 / fraction - 1)
            bar = ("█" * round(30 * fraction)).ljust(30, "·") if self.terminal else ""
            text += f"  {bar} {fraction:4.0%}, about {left:.0f} s left"
        self._show(text, "\r")

    def done(self, what: str) -> None:
        """The last line of a step."""
        self._show(f"      {what} ({self.seconds:.0f} s)", "\n")

    def _show(self, text: str, end: str) -> None:
        if self.terminal:
            print(f"\r\033[K{text}", end="" if end == "\r" else end, flush=True)
        else:
            print(text, flush=True)


class Programs:
    """Processes in one folder; leaving the context ends those that still run, and no others."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._running: list[tuple[subprocess.Popen, Path]] = []

    def __enter__(self) -> Programs:
        return self

    def __exit__(self, *_) -> None:
        for process, _ in self._running:
            if process.poll() is None:
                process.terminate()
        for process, _ in self._running:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(
        self,
        command: Sequence[str],
        log: str,
        *,
        variables: Mapping[str, str] | None = None,
        show_errors: bool = False,
    ) -> subprocess.Popen:
        """Start a program of this environment; its output goes to ``log`` in the folder.

        show_errors: leave stderr where it is, for a program with its own progress bar.
        """
        path = self.folder / log
        with open(path, "w") as stream:
            process = subprocess.Popen(
                [str(BIN / command[0]), *command[1:]],
                cwd=self.folder,
                env=environment() | dict(variables or {}),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=None if show_errors else stream,
            )
        self._running.append((process, path))
        return process

    def wait(self, process: subprocess.Popen, progress: Progress, fraction: Fraction | None = None):
        """Until ``process`` has ended well; DemoError as soon as any program has failed."""
        while process.poll() is None:
            self._require_success()
            progress.update(fraction() if fraction else None)
            time.sleep(POLL)
        self._require_success()

    def _require_success(self) -> None:
        for process, log in self._running:
            if process.poll():
                name = Path(str(process.args[0])).name  # type: ignore[index]
                code = process.returncode
                how = f"exit code {code}" if code > 0 else f"signal {-code}"
                raise DemoError(f"{name} ended with {how}: {reason(log)} (log: {log})")


def environment() -> dict[str, str]:
    """This environment's programs first on PATH, one thread unless said otherwise."""
    path = os.pathsep.join([str(BIN), os.environ.get("PATH", "")])
    return os.environ | {"PATH": path, "OMP_NUM_THREADS": "1"}


def run(
    command: Sequence[str],
    folder: Path,
    log: str,
    progress: Progress,
    fraction: Fraction | None = None,
    **options,
) -> None:
    """One program from start to end; options as of Programs.start."""
    with Programs(folder) as programs:
        programs.wait(programs.start(command, log, **options), progress, fraction)


def require_progress(program: str, done: int, wanted: int) -> None:
    """DemoError when a time limit left too few steps to say anything."""
    if done < 0.1 * wanted:
        raise DemoError(
            f"{program} did {done} of {wanted} steps within its time limit: "
            "this machine is too slow or too busy for the demo"
        )


def reason(log: Path) -> str:
    """The line of a log that says best why a program failed."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["it wrote nothing"])[-1]


def last_step(path: Path) -> int:
    """First number of the last line that starts with an integer; 0 before there is one."""
    if not path.exists():
        return 0
    with open(path, "rb") as stream:
        stream.seek(max(0, path.stat().st_size - 4096))
        lines = stream.read().decode(errors="replace").splitlines()[1:]
    for line in reversed(lines):
        words = line.split()
        # a thermo or property line: many numbers, and the first one is the step
        if len(words) > 3 and _is_number(words[0]) and _is_number(words[1]):
            return int(float(words[0]))
    return 0


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
