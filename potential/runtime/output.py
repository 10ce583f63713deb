# SPDX-License-Identifier: BSD-3-Clause
"""Files and folders appear whole or not at all, files only where there is a file or nothing yet."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from potential.errors import SoapGprError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """A temporary name in the same folder and with the same ending, renamed to path at the end.

    Where path is a symbolic link its target is written. Raises SoapGprError, and leaves what was
    there as it was, when path cannot be written or is something else than a file.
    """
    target = require_writable(path)
    temporary = None
    try:
        # the ending alone: the whole name, made longer, could be longer than names may be
        handle, name = tempfile.mkstemp(target.suffix, ".soap-gpr-", target.parent)
        temporary = Path(name)
        os.close(handle)
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(require_writable(path))
    except OSError as error:
        raise SoapGprError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """A temporary folder beside path, which takes its place at the end with all that is in it.

    Raises SoapGprError, and leaves what was there as it was, as ``require_new_folder`` does.
    """
    target = require_new_folder(path)
    try:
        temporary = Path(tempfile.mkdtemp(prefix=".soap-gpr-", dir=target.parent))
        try:
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            temporary.replace(require_new_folder(path))
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise SoapGprError(f"{path}: cannot be written: {error.strerror or error}") from None


def require_new_folder(path: str | Path) -> Path:
    """What path is or, for symbolic links, leads to; for use before long work.

    Raises SoapGprError unless an empty folder is there or could be made: what a folder holds is
    never replaced.
    """
    target = Path(os.path.realpath(path))
    try:
        if any(target.iterdir()):
            raise SoapGprError(f"{path}: found files in it, expected a new or an empty folder")
    except FileNotFoundError:
        pass
    except NotADirectoryError:
        raise SoapGprError(f"{path}: found a file, expected the name of a folder") from None
    except OSError as error:
        raise SoapGprError(f"{path}: cannot be written: {error.strerror}") from None
    _require_place(path, target.parent)
    return target


def require_writable(path: str | Path) -> Path:
    """What path is or, for symbolic links, leads to; for use before long work.

    Raises SoapGprError unless a file is there or could be made: devices, pipes, sockets and
    folders are never replaced.
    """
    path = Path(path)
    target = Path(os.path.realpath(path))
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except FileNotFoundError:  # nothing is there, or a link that leads to nothing yet
        kind = stat.S_IFREG
    except OSError as error:
        raise SoapGprError(f"{path}: cannot be written: {error.strerror}") from None
    if kind != stat.S_IFREG:
        found = _KINDS.get(kind, "something else")
        raise SoapGprError(f"{path}: found {found}, expected the name of a file to write")
    _require_place(path, target.parent if path.is_symlink() else path.parent)
    return target


def _require_place(path: str | Path, folder: Path) -> None:
    if not folder.is_dir():
        raise SoapGprError(f"{path}: cannot be written: there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        raise SoapGprError(f"{path}: cannot be written: no permission in {folder}")


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def require_outputs(
    outputs: Iterable[str | Path | None],
    sources: Iterable[str | Path | None] = (),
    folder: str | Path | None = None,
) -> None:
    """Raise SoapGprError unless all outputs can be written, and are neither one file nor one of the
    sources, which are read, nor in the folder, which ``atomic_folder`` is to make; None stands for
    no file."""
    whole = None if folder is None else require_new_folder(folder)
    read = [Path(os.path.realpath(source)) for source in sources if source is not None]
    seen = dict.fromkeys(read, "is the file to read")
    for path in outputs:
        if path is None:
            continue
        target = require_writable(path)
        if target in seen:
            raise SoapGprError(f"{path}: {seen[target]}, expected another name to write to")
        if whole in (target, *target.parents):
            raise SoapGprError(
                f"{path}: {folder} is to be written as one folder, expected a name outside of it"
            )
        seen[target] = "is to be written twice"
