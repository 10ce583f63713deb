# SPDX-License-Identifier: BSD-3-Clause
"""The HTML report: escaping, odd sets of labels, many config_types; files that appear whole."""

import base64
import dataclasses
import itertools
import re
import threading

import numpy as np
import pytest
from training_data import emt_frames, small_settings, write_frames

from potential.errors import SoapGprError
from potential.model.evaluation import evaluate_structures
from potential.reports.page import Page, data_url
from potential.reports.plots import COLORS, OTHERS, figure, merged, palette, parity
from potential.reports.report import write_report
from potential.runtime.output import atomic_file
from potential.runtime.parallel import ordered_map
from potential.training.fitting import fit


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    train = write_frames(tmp_path_factory.mktemp("report") / "a.xyz", emt_frames(12))
    result = fit(small_settings(train, n_sparse=10), progress=False)
    return result.model, result.train


def report(path, model, structures, **kwargs):
    write_report(path, model, structures, evaluate_structures(model, structures), **kwargs)
    return path.read_text()


def test_text_is_escaped(tmp_path, fitted):
    model, structures = fitted
    first = dataclasses.replace(structures[0], config_type="<b>&")
    page = report(tmp_path / "r.html", model, [first, *structures[1:]], title="a<script>")
    assert "<script>" not in page and "a&lt;script&gt;" in page
    assert "<b>" not in page and "&lt;b&gt;&amp;" in page


@pytest.mark.parametrize("kept", ("energy", "forces", "virial"))
def test_one_kind_of_label_is_enough(tmp_path, fitted, kept):
    model, structures = fitted
    without = dict.fromkeys({"energy", "forces", "virial"} - {kept})
    page = report(
        tmp_path / "r.html", model, [dataclasses.replace(s, **without) for s in structures[:3]]
    )
    assert page.count("<img") == 2


def test_figures_are_svg_that_stays_small():
    fig, axes = figure()
    axes.scatter(*np.random.default_rng(0).random((2, 50_000)), rasterized=True)
    kind, content = data_url(fig).split(",")
    svg = base64.b64decode(content).decode()
    assert kind == "data:image/svg+xml;base64" and "<svg" in svg and len(svg) < 500_000


def test_many_config_types_share_the_last_colour():
    groups = [f"type{k:02d}" for k in range(20) for _ in range(20 - k)]
    names = [name for name, _ in palette(groups)]
    assert len(names) == len(COLORS) and OTHERS in names
    assert set(merged(groups)) == set(names)


def test_tables_align_text_left():
    page = Page("t")
    page.table(("name", "value"), [("a", "1")])
    assert re.search(r'<td class="text">a</td><td>1</td>', page.html())


def test_atomic_file_appears_only_when_whole(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1
    with atomic_file(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new" and len(list(tmp_path.iterdir())) == 1


def test_atomic_file_without_a_folder_is_an_error(tmp_path):
    with (
        pytest.raises(SoapGprError, match=r"there is no folder"),
        atomic_file(tmp_path / "a" / "b"),
    ):
        pass


def test_ordered_map_keeps_order_and_looks_only_a_little_ahead():
    started = []
    release = threading.Event()

    def slow_first(k):
        started.append(k)
        if k == 0:
            release.wait()
        if k == 2:  # begun while the first still runs
            release.set()
        return k * k

    results = ordered_map(slow_first, iter(range(100)), n_threads=2)
    assert next(results) == 0 and len(started) <= 4
    assert list(results) == [k * k for k in range(1, 100)]


def test_ordered_map_passes_errors_on():
    def fail(k):
        raise SoapGprError(f"at {k}")

    with pytest.raises(SoapGprError, match="at 0"):
        list(ordered_map(fail, range(5), n_threads=2))


def test_numbers_at_the_axis_do_not_overlap():
    values = np.array([-0.149, -0.056, 0.023])  # eV/atom of water clusters
    fig = parity(values, values, ["all"] * 3, "energy above e0", "eV/atom")
    fig.canvas.draw()
    boxes = [label.get_window_extent() for label in fig.axes[0].get_xticklabels()]
    assert len(boxes) > 2
    assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))
