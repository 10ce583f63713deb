# SPDX-License-Identifier: BSD-3-Clause
"""Files appear whole or not at all, and only where there is a file or nothing yet."""

from __future__ import annotations

import os
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
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(require_writable(path))
    except OSError as error:
        raise SoapGprError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


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
    folder = target.parent if path.is_symlink() else path.parent
    if not folder.is_dir():
        raise SoapGprError(f"{path}: cannot be written: there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        raise SoapGprError(f"{path}: cannot be written: no permission in {folder}")
    return target


def require_outputs(
    outputs: Iterable[str | Path | None], sources: Iterable[str | Path | None] = ()
) -> None:
    """Raise SoapGprError unless all outputs can be written, and are neither one file nor one of the
    sources, which are read; None stands for no file."""
    read = [Path(os.path.realpath(source)) for source in sources if source is not None]
    seen = dict.fromkeys(read, "is the file to read")
    for path in outputs:
        if path is None:
            continue
        target = require_writable(path)
        if target in seen:
            raise SoapGprError(f"{path}: {seen[target]}, expected another name to write to")
        seen[target] = "is to be written twice"
