# SPDX-License-Identifier: BSD-3-Clause
"""Several potentials in one file, and pair potentials beside them, as QUIP reads them."""

import pytest
from gap_models import assert_same, gap_fit_program, glue, structures

from potential.errors import SoapGprError
from potential.gap.importing import import_gap

SPECIES = (6, 14)


def gap(label: str, alpha: float) -> str:
    """GAP_params of pairs of carbon and silicon."""
    return f"""<GAP_params label="{label}" gap_version="1700000000">
<GAP_data do_core="F"><e0 Z="14" value="-.5"/><e0 Z="6" value="-.25"/></GAP_data>
<gpSparse label="{label}" n_coordinate="1" fitted="T">
<gpCoordinates label="{label}1" dimensions="1" signal_variance=".5" signal_mean=".0"
 sparsified="T" n_permutations="1" covariance_type="1" n_sparseX="1">
<theta>1.0</theta><descriptor>distance_2b cutoff=3.5 Z1=14 Z2=6</descriptor>
<permutation i="1">1</permutation>
<sparseX i="1" alpha="{alpha}" sparseCutoff="1.0">1.5</sparseX>
</gpCoordinates></gpSparse></GAP_params>"""


SUM = "Sum init_args_pot1={{IP Glue label={}}} init_args_pot2={{IP GAP label=GAP_2 E_scale=2.5}}"
POTENTIALS = {
    "GAP_1": "IP GAP label=GAP_1",
    "scaled": "IP GAP label=GAP_2 E_scale=3",
    "sum": SUM.format("weak"),
    "other_sum": SUM.format("strong"),
}


@pytest.fixture(scope="module")
def xml(tmp_path_factory):
    path = tmp_path_factory.mktemp("gap") / "several.xml"
    heads = "".join(
        f'<Potential label="{label}" init_args="{text}"/>' for label, text in POTENTIALS.items()
    )
    parts = gap("GAP_1", 1.0), gap("GAP_2", -2.0), glue("weak", 0.05), glue("strong", 0.3)
    text = f"<all>{heads}{''.join(parts)}</all>"
    path.write_text(text.replace("><", ">\n<"))  # QUIP cuts long lines
    return path


@pytest.mark.parametrize("label", POTENTIALS)
def test_a_label_picks_a_potential_with_its_baseline_and_scale(xml, label):
    gap_fit_program()  # skips the test without QUIP
    model, warnings = import_gap(xml, label=label)
    assert warnings == []
    for atoms in structures(SPECIES).values():
        assert_same(model, xml, atoms, label=label)


def test_without_a_label_it_is_the_potential_named_like_the_file(xml, tmp_path):
    dimer = [6, 14], [[0, 0, 0], [0, 0, 1.7]]
    first = import_gap(xml, label="GAP_1")[0].evaluate(*dimer).energy
    scaled = import_gap(xml, label="scaled")[0].evaluate(*dimer).energy
    named = tmp_path / "named.xml"
    named.write_text(xml.read_text().replace("<all>", "<scaled>").replace("</all>", "</scaled>"))
    assert import_gap(xml)[0].evaluate(*dimer).energy == pytest.approx(first, rel=1e-12)
    assert import_gap(named)[0].evaluate(*dimer).energy == pytest.approx(scaled, rel=1e-12)


def test_a_label_that_is_not_there_is_one_clear_error(xml):
    with pytest.raises(SoapGprError, match="no Potential labelled GAP_2, but GAP_1, scaled"):
        import_gap(xml, label="GAP_2")
