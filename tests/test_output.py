# SPDX-License-Identifier: BSD-3-Clause
"""Files are written whole or not at all, and nothing but a file is ever replaced."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from training_data import emt_frames, write_frames

from potential.cli import main
from potential.errors import SoapGprError
from potential.model import Model
from potential.runtime.output import atomic_file, require_outputs, require_writable

SETTINGS = """
[data]
train = ["train.xyz"]
[[terms]]
cutoff = 4.0
n_max = 4
l_max = 3
zeta = 2
n_sparse = 20
[tune]
folds = 2
method = "grid"
[tune.search]
"noise.force" = [0.05, 0.1]
"""
# The commands that write files; FILE is what a test puts there.
COMMANDS = [
    "fit fit.toml -o FILE",
    "fit fit.toml -o new.sgpr --checkpoint FILE",
    "fit fit.toml -o new.sgpr --factor FILE",
    "evaluate model.sgpr train.xyz -o FILE",
    "evaluate model.sgpr train.xyz --json FILE",
    "report model.sgpr train.xyz -o FILE",
    "benchmark model.sgpr --seconds 0 --atoms 8 --json FILE",
    "compress model.sgpr train.xyz -o FILE",
    "convert-gap-fit GAP -o FILE",
    "learning-curve fit.toml --repeats 1 --json FILE",
    "learning-curve fit.toml --repeats 1 -o FILE.png",
    "learning-curve fit.toml --repeats 1 -o FILE.pdf",
    "learning-curve fit.toml --repeats 1 -o FILE.svg",
    "learning-curve fit.toml --repeats 1 -o FILE.html",
    "compare-features fit.toml model.sgpr train.xyz --json FILE",
    "describe train.xyz --model model.sgpr -o FILE.npz",
    "describe train.xyz --model model.sgpr -o FILE.xyz",
    "describe train.xyz --model model.sgpr --kernel -o FILE.npz",
    "describe train.xyz --model model.sgpr --duplicates --json FILE",
    "describe train.xyz --model model.sgpr --duplicates --plot FILE.png",
    "map train.xyz --model model.sgpr -o FILE.html",
    "map train.xyz --model model.sgpr -o FILE.png",
    "tune fit.toml -o FILE",
    "tune fit.toml -o new.toml --json FILE",
    "tune fit.toml -o new.toml --report FILE",
]
GAP = (
    "gap_fit at_file=train.xyz gap={soap cutoff=5.0 n_max=8 l_max=6 atom_sigma=0.5 zeta=4 "
    "delta=1.0 n_sparse=1000 covariance_type=dot_product sparse_method=cur_points} "
    "default_sigma={0.001 0.05 0.05 0.0} gp_file=gap.xml"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("output")
    write_frames(folder / "train.xyz", emt_frames(10, seed=1))
    (folder / "fit.toml").write_text(SETTINGS)
    assert main(["fit", str(folder / "fit.toml"), "-o", str(folder / "model.sgpr")]) == 0
    return folder


def arguments(line, name):
    """A command of the list as argv, with the name of its file."""
    words = [GAP if word == "GAP" else word for word in line.split()]
    file = next(word for word in words if word.startswith("FILE"))
    path = name + file[4:]
    return [path if word == file else word for word in words], Path(path)


def fails(capsys, argv, *words):
    capsys.readouterr()
    assert main(argv) == 1
    out, err = capsys.readouterr()
    assert err.startswith("soap-gpr: error: ") and err.count("\n") == 1, err
    for word in words:
        assert word in err
    return out


def make_pipe(path):
    os.mkfifo(path)


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def make_device(path):
    path.symlink_to(os.devnull)


@pytest.fixture
def nothing_replaced(monkeypatch):
    """Should a check fail one day, the machine's devices are still safe."""

    def fail(self, target):
        raise AssertionError(f"{target} would have been replaced")

    monkeypatch.setattr(Path, "replace", fail)


@pytest.mark.parametrize("line", COMMANDS)
@pytest.mark.parametrize("make", [make_pipe, make_socket, make_device, Path.mkdir])
def test_every_command_refuses_what_is_not_a_file(
    folder, capsys, monkeypatch, nothing_replaced, make, line
):
    monkeypatch.chdir(folder)
    argv, path = arguments(line, make.__name__)
    if not os.path.lexists(path):
        make(path)
    kind = stat.S_IFMT(path.stat().st_mode)
    before = set(folder.iterdir())
    out = fails(capsys, argv, f"{path}: found a", "expected the name of a file to write")
    assert out == "" and set(folder.iterdir()) == before
    assert stat.S_IFMT(path.stat().st_mode) == kind


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_follows_links_even_to_nothing_yet(folder, monkeypatch, tmp_path, line):
    monkeypatch.chdir(folder)
    argv, path = arguments(line, str(tmp_path / "link"))
    target = tmp_path / "elsewhere" / f"target{path.suffix}"
    target.parent.mkdir()
    path.symlink_to(Path("elsewhere") / target.name)
    assert main(argv) == 0
    assert path.is_symlink()
    if "--checkpoint" not in line:  # which the end of the fit removes
        assert stat.S_ISREG(target.lstat().st_mode) and target.stat().st_size > 0
    assert [file.name for file in target.parent.iterdir()] in ([target.name], [])


def test_links_in_a_circle_and_names_below_files_are_refused(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "file").write_text("old")
    (tmp_path / "far").symlink_to("nowhere/far")
    for name, words in (
        ("a", "Too many levels of symbolic links"),
        ("file/x", "Not a directory"),
        ("x" * 300, "File name too long"),
        ("far", "there is no folder"),
        ("nowhere/x", "there is no folder"),
        ("", "found a folder"),
    ):
        with pytest.raises(SoapGprError, match=words):
            require_writable(tmp_path / name)


def test_long_names_can_be_written(tmp_path):
    path = tmp_path / ("x" * 250 + ".txt")
    with atomic_file(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_what_is_no_file_when_the_work_is_done_is_not_replaced_either(tmp_path, monkeypatch):
    path = tmp_path / "late"
    with (
        pytest.raises(SoapGprError, match="late: found a pipe"),
        atomic_file(path) as temporary,
    ):
        temporary.write_text("new")
        os.mkfifo(path)
    assert path.is_fifo() and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "line, words",
    [
        ("fit fit.toml -o fit.toml", "fit.toml: is the file to read"),
        ("fit fit.toml -o train.xyz", "train.xyz: is the file to read"),
        ("fit fit.toml -o link.xyz", "link.xyz: is the file to read"),
        ("fit fit.toml -o a --checkpoint a", "a: is to be written twice"),
        ("fit fit.toml -o a --factor ./a", "a: is to be written twice"),
        ("evaluate model.sgpr train.xyz -o a --json a", "a: is to be written twice"),
        ("compress model.sgpr train.xyz -o model.sgpr", "model.sgpr: is the file to read"),
        ("report model.sgpr train.xyz -o train.xyz", "train.xyz: is the file to read"),
        ("benchmark model.sgpr --json model.sgpr", "model.sgpr: is the file to read"),
        ("learning-curve fit.toml --json train.xyz", "train.xyz: is the file to read"),
        ("tune fit.toml -o fit.toml", "fit.toml: is the file to read"),
        ("tune fit.toml -o a --json b --report b", "b: is to be written twice"),
    ],
)
def test_no_command_writes_over_what_it_reads_or_writes(folder, capsys, monkeypatch, line, words):
    monkeypatch.chdir(folder)
    if not os.path.lexists("link.xyz"):
        Path("link.xyz").symlink_to("train.xyz")
    before = {path: path.read_bytes() for path in folder.glob("*.*") if path.is_file()}
    fails(capsys, line.split(), words)
    assert {path: path.read_bytes() for path in before} == before


def limited(folder, argv, n_bytes, **options):
    """A command in a process that may not write files of more than n_bytes: a full disk."""
    script = (
        "import resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({n_bytes}, {n_bytes}))\n"
        "from potential.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    # of a build that counts its lines, the counts would be cut short as well
    env = os.environ | {"GCOV_PREFIX": os.devnull}
    return subprocess.run(
        [sys.executable, "-c", script, *argv],
        cwd=folder,
        env=env,
        text=True,
        **({"capture_output": True} | options),
    )


@pytest.mark.parametrize(
    "line", [line for line in COMMANDS if not line.startswith("fit fit.toml -o new")]
)
def test_full_disk_names_the_file_and_leaves_the_old(folder, tmp_path, line):
    argv, path = arguments(line, str(tmp_path / "full"))
    path.write_text("old")
    # the page comes after the best settings, which are short
    done = limited(folder, argv, 3000 if "--report" in line else 50)
    assert done.returncode == 1, done.stderr
    assert f"soap-gpr: error: {path}: cannot be written: File too large\n" in done.stderr
    assert "Traceback" not in done.stderr
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("option", ["--checkpoint", "--factor"])
def test_fit_goes_on_when_only_its_state_cannot_be_written(folder, tmp_path, option):
    model, state = tmp_path / "m.sgpr", tmp_path / "state"
    settings = (folder / "fit.toml").read_text().replace("n_sparse = 20", "n_sparse = 40")
    (tmp_path / "fit.toml").write_text(settings.replace("train.xyz", str(folder / "train.xyz")))
    fit = ["fit", str(tmp_path / "fit.toml"), "-o", str(model)]
    assert main(fit) == 0
    size, expected = model.stat().st_size, Model.load(model).arrays
    # the factors are larger than the model that they are of
    done = limited(tmp_path, [*fit, option, str(state)], size + 1000)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"warning: {state}: cannot be written: File too large; the fit") == 1
    assert not state.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fit.toml", "m.sgpr"]
    for name, array in Model.load(model).arrays.items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-6, err_msg=name)


def test_full_disk_under_standard_output_is_named(folder, tmp_path):
    with open(tmp_path / "out", "w") as stream:
        done = limited(
            folder,
            ["info", "model.sgpr", "--json"],
            50,
            stdout=stream,
            stderr=subprocess.PIPE,
            capture_output=False,
        )
    assert done.returncode == 1
    expected = "soap-gpr: error: standard output: cannot be written: File too large\n"
    assert done.stderr == expected


def test_outputs_that_are_none_are_not_asked_for(tmp_path):
    require_outputs([None, tmp_path / "a"], [None, tmp_path / "b"])


def test_rows_that_find_no_room_are_one_sentence(folder):
    argv = ["learning-curve", "fit.toml", "--repeats", "1", "--memory", "0"]
    done = limited(folder, argv, 5000)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "the rows of the training structures cannot be written: File too large" in done.stderr


@pytest.mark.parametrize("command", sorted({*(c.split()[0] for c in COMMANDS), "import-gap"}))
def test_help_says_what_becomes_of_links_and_devices(capsys, command):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "a link is followed, and only a file is ever replaced" in text


def test_gap_commands_refuse_devices_too(tmp_path, capsys, monkeypatch, nothing_replaced):
    monkeypatch.chdir(tmp_path)
    make_device(Path("device"))
    Path("gap.xml").write_text("<GAP/>")
    write_frames("train.xyz", emt_frames(1))
    for line in ("import-gap gap.xml -o device", "gap-variance gap.xml train.xyz -o device"):
        fails(capsys, line.split(), "device: found a device, expected the name of a file")
