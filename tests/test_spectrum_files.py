# SPDX-License-Identifier: BSD-3-Clause
"""Series in all forms of files, and what is wrong with some."""

import numpy as np
import pytest
import series_files
from series_files import LOG, names_of

from potential.errors import SoapGprError
from potential.spectra.read import read_series
from potential.spectra.series import interval
from potential.spectra.spectrum import INFRARED, POWER, RAMAN
from potential.spectra.trajectories import Inputs, read_trajectories

FORMS = {
    "series.npy": (series_files.write_array, {}, None),
    "series.txt": (series_files.write_text, {}, None),
    "ave.txt": (series_files.write_averages, {}, 4),
    "log.lammps": (series_files.write_log, {"columns": ["gap"]}, 4),
    "sim.dipole_0": (series_files.write_extras, {}, 4),
    "frames.xyz": (series_files.write_frames, {}, None),
    "steps.xyz": (lambda *about: series_files.write_frames(*about, step="Step"), {}, 4),
}


def smooth(n=40, columns=3, seed=0):
    return np.cumsum(np.random.default_rng(seed).normal(size=(n, columns)), axis=0)


@pytest.mark.parametrize("columns", [3, 9])
@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_file_gives_the_same_series(tmp_path, name, columns):
    write, options, stride = FORMS[name]
    values = smooth(columns=columns)
    write(tmp_path / name, values)
    own = dict(options)
    if "columns" in own:
        own["columns"] = names_of(values)
    found = read_series(str(tmp_path / name), columns, **own, default_key="dipole")
    tolerance = 1e-7 if name.endswith(".xyz") else 0  # as ASE writes eight digits
    np.testing.assert_allclose(found.values, values, rtol=tolerance, atol=tolerance)
    if stride is None:
        assert found.steps is None
    else:
        assert found.steps.tolist() == [stride * k for k in range(len(values))]
    assert found.step_fs == (0.5 if name == "log.lammps" else None)


COMMANDS = """LAMMPS (22 Jul 2025 - Update 4)
units           metal   # eV
variable dt equal 0.0005
timestep ${dt}
timestep 0.0005
Per MPI rank memory allocation (min/avg/max) = 3.1 | 3.1 | 3.1 Mbytes
"""


def test_a_log_has_the_time_step_in_its_commands(tmp_path, monkeypatch):
    # unlike the standard output it has no "Time step" of each run
    monkeypatch.setattr(series_files, "LOG", COMMANDS)
    values = smooth()
    series_files.write_log(tmp_path / "log.lammps", values)
    found = read_series(str(tmp_path / "log.lammps"), 3, names_of(values))
    assert found.step_fs == 0.5


COMMENTS = {
    "timestep={}": "a dump that ASE has read",
    'ipi_comment="Step:  {:10d}  Bead:       0 positions{{ase}}  cell{{ase}}"': "ase of i-PI",
    "#=T CELL(abcABC):=T 23.40615=T Step:=T {}=T Bead:=T positionsangstrom=T": "xyz of i-PI",
}


@pytest.mark.parametrize("comment", COMMENTS)
def test_steps_of_frames_are_found(tmp_path, comment):
    steps = [0, 40, 80]
    text = "".join(f"1\n{comment.format(k)} mu='0 1 {k}'\nH 0 0 0\n" for k in steps)
    (tmp_path / "a.xyz").write_text(text)
    found = read_series(str(tmp_path / "a.xyz"), 3, key="mu")
    assert found.steps is not None and found.steps.tolist() == steps


def test_the_length_of_a_time_step_is_no_step(tmp_path):
    (tmp_path / "a.xyz").write_text("1\ntimestep=0.5 mu='0 1 2'\nH 0 0 0\n" * 2)
    assert read_series(str(tmp_path / "a.xyz"), 3, key="mu").steps is None


def test_rows_of_tensors_are_read_in_their_order(tmp_path):
    # ASE keeps 3 x 3 numbers by columns: an odd part would change its sign
    alpha = np.arange(18.0).reshape(2, 9)
    series_files.write_frames(tmp_path / "a.xyz", alpha, "alpha")
    series_files.write_array(tmp_path / "a.npy", alpha.reshape(2, 3, 3))
    assert read_series(str(tmp_path / "a.xyz"), 9, key="alpha").values.tolist() == alpha.tolist()
    assert read_series(str(tmp_path / "a.npy"), 9).values.tolist() == alpha.tolist()


def test_columns_are_chosen_by_name_and_by_number(tmp_path):
    values = smooth(columns=3)
    series_files.write_averages(tmp_path / "ave.txt", values)
    found = read_series(str(tmp_path / "ave.txt"), 3, ["c_gap[3]", "c_gap[1]", "c_gap[1]"])
    np.testing.assert_array_equal(found.values, values[:, [2, 0, 0]])
    series_files.write_text(tmp_path / "plain.txt", values)
    found = read_series(str(tmp_path / "plain.txt"), None, ["2"])
    np.testing.assert_array_equal(found.values, values[:, [1]])


def test_time_step_is_of_the_file_or_given(tmp_path):
    values = smooth()
    series_files.write_log(tmp_path / "log", values)
    log = read_series(str(tmp_path / "log"), 3, names_of(values))
    assert interval(log, None) == interval(log, 0.5) == 2.0
    with pytest.raises(SoapGprError, match=r"time step of 0.5 fs in the file and --timestep 1, "):
        interval(log, 1.0)
    series_files.write_extras(tmp_path / "sim.dipole_0", values)
    extras = read_series(str(tmp_path / "sim.dipole_0"), 3)
    assert interval(extras, 0.25) == 1.0
    with pytest.raises(SoapGprError, match="expected --timestep, the fs of one step as the file"):
        interval(extras, None)


ROW = "1.0 2.0 3.0\n"
HEAD = " #EXTRAS(dipole)# Step:  {} \n"
BAD = {
    "nan.txt": (ROW + "nan 2 3\n" + ROW, "record 1: found nan or infinite numbers there and in 0"),
    "short.txt": (ROW, "found 1 records, expected a series"),
    "ragged.txt": (ROW + "1 2\n", "found 2 words in record 1, expected 3 columns"),
    "word.txt": (ROW + "1 2 x\n", "could not convert string to float: 'x', expected numbers"),
    "empty.txt": ("# nothing\n", "found no numbers, expected a record in each line"),
    "four.txt": ("1 2 3 4\n" * 3, "found 4 of the columns 1 2 3 4, expected 3 numbers a record"),
    "odd": ("".join(HEAD.format(k) + ROW for k in (0, 2, 4, 7)), "step 7 after step 4, .* all 2"),
    "back": ("".join(HEAD.format(k) + ROW for k in (0, 2, 4, 2)), "found step 2 after step 4"),
    "cut": (HEAD.format(0) + ROW + HEAD.format(2) + "1.0 2.0\n", "found 2 numbers at step 2, exp"),
    "nothing": (HEAD.format(0) + HEAD.format(2), "found 0 numbers at step 0, expected some"),
    "raw": (" #EXTRAS(raw)# Step:   0 \n{'dipole': [1]}\n", "extras of type raw, expected one"),
    "nine": ("".join(HEAD.format(k) + 3 * ROW for k in (0, 2)), "found 9 numbers a record, .* 3"),
    "log": (LOG, "expected --columns, the names of the quantity"),
    "half.txt": ("# Step a b c\n0.5 1 2 3\n1 1 2 3\n", "found the step 0.5, expected an integer"),
    "a.xyz": ("1\nenergy=1.0\nH 0 0 0\n", "a.xyz#0: found energy, expected 'dipole'"),
    "b.xyz": ("1\ndipole='1 2 3'\nH 0 0 0\nx\n", "found 'x' in line 4, expected the number of"),
    "c.xyz": ("2\ndipole='1 2 3'\nH 0 0 0\n", "c.xyz: cut short: frame 0 should have 2 atoms"),
    "d.xyz": ("1\ndipole='1 2 a'\nH 0 0 0\n", "d.xyz: .*expected numbers alone"),
    "e.xyz": (
        "1\ndipole='1 2 3' Step=0\nH 0 0 0\n1\ndipole='1 2 3'\nH 0 0 0\n",
        "found 1 steps of 2 frames",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_in_one_sentence(tmp_path, name):
    text, message = BAD[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(SoapGprError, match=message) as raised:
        read_series(str(tmp_path / name), 3, default_key="dipole")
    assert name in str(raised.value) and "\n" not in str(raised.value)


def test_bad_logs_are_refused(tmp_path):
    path = tmp_path / "log"
    names = ["c_gap[1]", "c_gap[2]", "c_gap[3]"]
    table = "Step c_gap[1] c_gap[2] c_gap[3]\n0 1 2 3\n1 1 2 3\n"
    for text, message in (
        (LOG, "without a table that begins with Step"),
        (LOG + table + "2 1 2", "found 3 words in record 2, expected 4 columns"),
        (LOG + table + "Loop\nStep Temp\n", "tables with different columns"),
        (LOG + table + LOG.replace("0.0005", "0.001") + table, "time steps of 0.0005, 0.001"),
        (LOG + table.replace("c_gap[3]", "c_gap[2]"), "found two columns 'c_gap\\[2\\]'"),
        (LOG + table.replace("c_gap[3]", "pe"), "no column 'c_gap\\[3\\]', expected one of Step"),
    ):
        path.write_text(text)
        with pytest.raises(SoapGprError, match=message):
            read_series(str(path), 3, names)
    path.write_text((LOG + table).replace(": metal", ": lj"))
    assert read_series(str(path), 3, names).step_fs is None


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(5), "of the shape \\(5,\\), expected real"),
        (np.zeros((5, 3), complex), "an array of complex128"),
        (np.array([["a"] * 3] * 4), "expected real numbers"),
        (np.zeros((5, 4)), "found 4 numbers a record, expected 3"),
    ],
)
def test_bad_arrays_are_refused(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(SoapGprError, match=message):
        read_series(str(tmp_path / "a.npy"), 3)


def test_files_that_are_no_series_are_refused(tmp_path):
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY rubbish")
    (tmp_path / "b.bin").write_bytes(b"\xff\xfe\x00\x81")
    for name, message in (
        ("a.npy", "expected an array of NumPy"),
        ("b.bin", "found bytes that are no text"),
        ("c.txt", "cannot be read: No such file"),
        ("c.npy", "cannot be read: No such file"),
    ):
        with pytest.raises(SoapGprError, match=message):
            read_series(str(tmp_path / name), 3)
    np.save(tmp_path / "d.npy", smooth())
    with pytest.raises(SoapGprError, match="found --columns, which is of no use"):
        read_series(str(tmp_path / "d.npy"), 3, ["1"])


def trajectories(tmp_path, kind, values, **options):
    files = []
    for k, own in enumerate(values):
        files.append(str(tmp_path / f"sim.dipole_{k}"))
        series_files.write_extras(tmp_path / f"sim.dipole_{k}", own)
    options = {"timestep": 0.5} | ({"unit": "a.u."} if kind != POWER else {}) | options
    return read_trajectories(kind, Inputs(tuple(files), **options))


def test_beads_are_averaged_and_trajectories_kept_apart(tmp_path):
    values = [smooth(seed=k) for k in range(4)]
    found = trajectories(tmp_path, INFRARED, values, beads=2, skip=0.008)
    assert len(found.values) == 2 and found.time_step == 2.0 and found.notes == []
    expected = 0.529177210903 * (values[2] + values[3])[4:] / 2
    np.testing.assert_allclose(found.values[1], expected, rtol=1e-9)
    (note,) = trajectories(tmp_path, INFRARED, values).notes
    assert "for beads of one path integral give --beads 4" in note


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a/out.dipole_0", "b/out.dipole_0"], None),
        (["a/out.dipole_0", "a/out.dipole_1"], "for beads of one path integral give --beads 2"),
        (
            ["a/out.dipole_0", "a/out.dipole_1", "b/out.dipole_0", "b/out.dipole_1"],
            "for beads of 2 path integrals give --beads 2",
        ),
        (["a/out.dipole_0", "a/out.dipole_1", "b/out.dipole_0"], None),
    ],
)
def test_a_forgotten_number_of_beads_is_said(tmp_path, monkeypatch, names, expected):
    monkeypatch.chdir(tmp_path)
    for k, name in enumerate(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        series_files.write_extras(tmp_path / name, smooth(seed=k))
    found = read_trajectories(INFRARED, Inputs(tuple(names), unit="a.u.", timestep=0.5))
    assert len(found.values) == len(names)
    assert len(found.notes) == (expected is not None)
    assert expected is None or expected in found.notes[0]


def test_a_jump_of_a_dipole_is_found(tmp_path):
    values = smooth(n=2000)
    values[1234:, 2] += 30.0  # e times the length of a cell
    with pytest.raises(SoapGprError, match=r"step 4936: the values jump by [23].*--accept-jumps"):
        trajectories(tmp_path, INFRARED, [values])
    trajectories(tmp_path, INFRARED, [values], accept_jumps=True)


def test_polarizabilities_that_are_not_symmetric_are_said(tmp_path):
    (note,) = trajectories(tmp_path, RAMAN, [smooth(columns=9)]).notes
    assert note.startswith("the polarizabilities are not symmetric: up to")


@pytest.mark.parametrize(
    ("kind", "values", "options", "message"),
    [
        (INFRARED, [smooth()] * 3, {"beads": 2}, "found 3 files, expected a multiple of --beads 2"),
        (INFRARED, [smooth(), smooth(30)], {"beads": 2}, "found 30 records, expected the same"),
        (INFRARED, [smooth()], {"unit": None}, "found no unit of the dipole, expected --unit"),
        (INFRARED, [smooth()], {"skip": 1.0}, "found 0.078 ps, expected more than --skip 1 ps"),
        (POWER, [smooth()], {"unit": "a.u."}, "found --unit, which a plain power spectrum has not"),
        (POWER, [smooth(), smooth(columns=2)], {}, "different numbers of columns"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(tmp_path, kind, values, options, message):
    with pytest.raises(SoapGprError, match=message):
        trajectories(tmp_path, kind, values, **options)


def test_trajectories_of_different_intervals_are_refused(tmp_path):
    for k in (1, 2):
        series_files.write_extras(tmp_path / f"{k}.txt", smooth(), stride=k)
    files = tuple(str(tmp_path / f"{k}.txt") for k in (1, 2))
    with pytest.raises(SoapGprError, match=r"records 1 fs apart, expected 0.5 fs as in"):
        read_trajectories(POWER, Inputs(files, timestep=0.5))
