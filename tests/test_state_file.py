# SPDX-License-Identifier: BSD-3-Clause
"""Checkpoints and factors: whatever is in the file, one sentence or the state that was written."""

import json
import os
import shutil
import zlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mutations import PAGE, spliced, splices
from training_data import emt_frames, write_frames

from potential.cli import main
from potential.errors import SoapGprError
from potential.model import Model
from potential.runtime.ranks import Ranks
from potential.runtime.state_file import read_state, write_state
from potential.settings.file import load_settings
from potential.structures.digests import fingerprint
from potential.structures.read import read_structures
from potential.terms import TrainingModel
from potential.training import checkpoint as checkpoint_module
from potential.training.checkpoint import Checkpoint, digest
from potential.training.factor_store import FactorStore
from potential.training.fitting import fit
from potential.training.regression import StreamingQR

SETTINGS = """
[data]
train = ["train.xyz"]
[[terms]]
cutoff = 3.5
n_max = 2
l_max = 1
zeta = 2
n_sparse = 5
"""
KINDS = ("checkpoint", "factor")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A fit with its checkpoint and its factor."""
    folder = tmp_path_factory.mktemp("state")
    write_frames(folder / "train.xyz", emt_frames(6, seed=1))
    (folder / "fit.toml").write_text(SETTINGS)
    fit(folder / "fit.toml", progress=False, checkpoint=folder / "checkpoint")
    fit(folder / "fit.toml", progress=False, factor=folder / "factor")
    return folder


def load(folder, kind, path):
    """Read the file as a fit does, and return all that the fit takes from it."""
    settings = load_settings(folder / "fit.toml")
    structures = read_structures(settings.data.train)
    if kind == "factor":
        store = FactorStore(path, settings)
        choice, n_new = store.choice, len(store.new(structures))
        found = store.parts(settings, choice.model.arrays["e0"]).triangle()
        return choice.model.to_bytes(), found.R, found.n_rows, n_new, choice.warnings
    ordered = sorted(structures, key=fingerprint)
    checkpoint = Checkpoint(path, Ranks(), digest(settings, ordered))
    choice = checkpoint.choice
    qr = StreamingQR(choice.model.n_weights)
    n_done = checkpoint.resume([qr], len(structures))
    return choice.model.to_bytes(), qr.finish(), qr.n_rows, n_done, choice.warnings


def assert_refused_or_same(folder, kind, path, expected=None):
    try:
        found = load(folder, kind, path)
    except SoapGprError as error:
        assert str(error).startswith(f"{path}: found ") and "\n" not in str(error)
        return True
    if expected is not None:
        assert found[0] == expected[0] and found[2:] == expected[2:]
        np.testing.assert_array_equal(found[1], expected[1])
    return False


@pytest.fixture(scope="module")
def states(folder):
    """What a fit takes from the files as they are."""
    return {kind: load(folder, kind, folder / kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
@given(splice=splices())
@example(splice=(-1, 1, b""))  # cut short
@example(splice=(20, 1, b"x"))  # in the checksum
@example(splice=(5000, 4096, PAGE))
@example(splice=(-1, 0, b"more"))
def test_damaged_files_are_one_sentence(folder, tmp_path, states, kind, splice):
    content, path = (folder / kind).read_bytes(), tmp_path / kind
    damaged = spliced(content, *splice)
    path.write_bytes(damaged)
    refused = assert_refused_or_same(folder, kind, path, states[kind])
    assert refused == (damaged != content)


@pytest.mark.parametrize("kind", KINDS)
@given(splice=splices(), in_header=st.booleans())
def test_other_contents_under_a_right_checksum_are_one_sentence(
    folder, tmp_path, kind, splice, in_header
):
    """Files that a program wrote, but not this one."""
    path = tmp_path / kind
    first, _, body = (folder / kind).read_bytes().split(b"\n", 2)
    size = body.index(b"\n") + 1 if in_header else len(body)
    changed = spliced(body[:size], *splice) + body[size:]
    seal = f"{zlib.crc32(changed):08x}".encode()
    path.write_bytes(first + b"\n" + seal + b"\n" + changed)
    assert_refused_or_same(folder, kind, path)


def edits():
    """Changes of what is in the file that only the fit itself can see."""

    def array(name, change):
        return lambda values, arrays: arrays.update({name: change(np.array(arrays[name]))})

    def value(name, new):
        return lambda values, arrays: values.update({name: new})

    def without(name):
        return lambda values, arrays: (values.pop(name, None), arrays.pop(name, None))

    def nan(own):
        own[0, -1] = np.nan
        return own

    both = [
        ("model", array("model", lambda own: own[:-8])),
        ("no model", without("model")),
        ("no warnings", without("warnings")),
        ("warnings", value("warnings", ["few", 3])),
        ("problem", value("problem", "another")),
        ("no problem", without("problem")),
    ]
    checkpoint = [
        ("smaller", array("R", lambda own: own[:-1, :-1])),
        ("flat", array("R", np.ravel)),
        ("nan", array("R", nan)),
        ("bytes", array("R", lambda own: np.zeros(own.shape, dtype=np.uint8).view()[:1])),
        ("no R", without("R")),
        ("waiting", array("waiting", lambda own: own[:, :-1])),
        ("waiting nan", array("waiting", nan)),
        ("too many wait", array("waiting", lambda own: np.zeros((5000, own.shape[1])))),
        ("done", value("n_done", 7)),
        ("less than none done", value("n_done", -1)),
        ("done what", value("n_done", "six")),
        ("rows", value("n_rows", -5)),
        ("no rows", without("n_rows")),
    ]
    factor = [
        ("smaller", array("R0", lambda own: own[:-1, :-1])),
        ("nan", array("R1", nan)),
        ("no R", without("R1")),
        ("groups", value("groups", [["even", "energy"]])),
        ("labels", value("groups", [["even", "energies", 3]])),
        ("rows", value("groups", [["even", "energy", "three"]])),
        ("members", value("members", [1, 2])),
    ]
    return [
        pytest.param(kind, change, id=f"{kind} {name}")
        for kind, own in zip(KINDS, (checkpoint, factor), strict=True)
        for name, change in [*both, *own]
    ]


@pytest.mark.parametrize("kind, change", edits())
def test_states_of_another_shape_or_not_finite_are_refused(folder, tmp_path, kind, change):
    values, arrays = read_state(folder / kind, kind)
    change(values, arrays)
    path = tmp_path / kind
    write_state(path, kind, values, arrays)
    assert assert_refused_or_same(folder, kind, path)


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_says_one_sentence_and_leaves_the_file(folder, tmp_path, capsys, kind):
    path, model = tmp_path / kind, tmp_path / "m.sgpr"
    content = (folder / kind).read_bytes()
    other = KINDS[1 - KINDS.index(kind)]
    for damaged, words in (
        (content[:-1], f"found a damaged {kind}"),
        (content[:20] + b"x" + content[21:], "expected"),
        (b"", f"found something else than a {kind}"),
        ((folder / other).read_bytes(), f"found something else than a {kind}"),
    ):
        path.write_bytes(damaged)
        argv = ["fit", str(folder / "fit.toml"), "-o", str(model), f"--{kind}", str(path)]
        assert main(argv) == 1
        err = capsys.readouterr().err
        assert err.startswith(f"soap-gpr: error: {path}: ") and err.count("\n") == 1
        assert words in err and not model.exists() and path.read_bytes() == damaged


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_back_is_what_was_written(folder, tmp_path, kind):
    values, arrays = read_state(folder / kind, kind)
    write_state(tmp_path / "again", kind, values, arrays)
    assert (tmp_path / "again").read_bytes() == (folder / kind).read_bytes()
    json.dumps(values)
    assert all(array.dtype in (np.uint8, np.float64) for array in arrays.values())


EXTRA = """\
sparse_method = "file"
sparse_file = "points.xyz"
[baseline]
pair_table = "pairs.txt"
"""


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_problem_in_another_folder_goes_on(folder, tmp_path, monkeypatch, kind):
    """No name of a file is part of the problem, but what is in the files is."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    shutil.copy(folder / "train.xyz", first)
    write_frames(first / "points.xyz", emt_frames(2, seed=5))
    r = np.arange(0.5, 3.01, 0.1)
    table = "".join(f"{x:.2f} {(3.0 - x) ** 3:.8f}\n" for x in r)
    (first / "pairs.txt").write_text(f"# Cu Cu\n{table}")
    (first / "fit.toml").write_text(SETTINGS.replace("n_sparse = 5\n", "") + EXTRA)
    expected = fit(first / "fit.toml", progress=False, **{kind: first / kind}).model
    shutil.copytree(first, second)
    os.rename(second / "fit.toml", second / "other.toml")
    os.rename(second / "train.xyz", second / "data.xyz")
    text = (second / "other.toml").read_text().replace("train.xyz", "data.xyz")
    (second / "other.toml").write_text(text)
    monkeypatch.setattr(TrainingModel, "rows", None)  # no row is made again
    found = fit(second / "other.toml", progress=False, **{kind: second / kind}).model
    for name, array in expected.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)
    assert found.metadata["settings"]["file"] == str(second / "other.toml")
    assert found.metadata["settings"]["terms"][0]["sparse_file"] == str(second / "points.xyz")
    assert isinstance(found, Model)
    write_frames(second / "points.xyz", emt_frames(2, seed=6))
    with pytest.raises(SoapGprError, match=f"found the {kind} of a fit with other"):
        fit(second / "other.toml", progress=False, **{kind: second / kind})


def test_interrupted_fit_says_that_its_checkpoint_cannot_be_written(folder, tmp_path, monkeypatch):
    class Interrupting(StreamingQR):
        def add(self, rows, targets):
            super().add(rows, targets)
            os.kill(os.getpid(), 2)

    def full(*arguments):
        raise SoapGprError("state: cannot be written: No space left on device")

    monkeypatch.setattr("potential.training.accumulation.StreamingQR", Interrupting)
    monkeypatch.setattr(checkpoint_module, "write_state", full)
    with pytest.raises(SoapGprError, match="No space left"):
        fit(folder / "fit.toml", progress=False, checkpoint=tmp_path / "state")
