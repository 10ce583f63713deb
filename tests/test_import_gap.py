# SPDX-License-Identifier: BSD-3-Clause
"""Imported GAP potentials give what QUIP gives."""

import pytest
from gap_models import PAIR, SOAP, assert_same, structures, train

from potential.gap.importing import import_gap

# name: (descriptors, further options)
MODELS = {
    "soap": (SOAP, []),
    "soap central_weight": (f"{SOAP} central_weight=0.3 cutoff_transition_width=1.0", []),
    "soap inline": (SOAP, ["sparse_separate_file=F"]),
    "soap and pairs": (f"{PAIR} : {SOAP}", []),
    "pairs": (PAIR, []),
    "covariance_sigma0": (f"{SOAP} covariance_sigma0=0.1 zeta=2.5", []),
    "not normalised": (f"{SOAP} normalise=F zeta=2 delta=0.05", []),
    "gto": (f"{SOAP} radial_basis=GTO cutoff_dexp=2 cutoff_scale=3.0 cutoff_rate=1.5", []),
    "poly": (f"{SOAP} radial_basis=POLY n_max=3 zeta=2", []),
    "central_reference_all_species": (f"{SOAP} central_reference_all_species=T zeta=1", []),
    "diagonal_radial": (f"{SOAP} diagonal_radial=T", []),
    "nu_R 2 nu_S 0": (f"{SOAP} nu_R=2 nu_S=0", []),
    "nu_R 1 nu_S 1": (f"{SOAP} nu_R=1 nu_S=1", []),
    "nu_R 0 nu_S 2": (f"{SOAP} nu_R=0 nu_S=2", []),
    "nu_R 1 nu_S 2": (f"{SOAP} nu_R=1 nu_S=2 zeta=2", []),
    "any centre": (f"{SOAP} add_species=F n_species=2 species_Z={{{{14 6}}}}", []),
    "any species": (f"{SOAP} add_species=F", []),
    "distance_Nb": (PAIR.replace("distance_2b", "distance_Nb order=2"), []),
    "distance_Nb loose": (PAIR.replace("2b", "Nb order=2 compact_clusters=F"), []),
    "pp": (PAIR.replace("ard_se", "pp"), []),
    "exponents": (f"{PAIR} n_exponents=2 exponents={{{{-1 -3}}}} theta_uniform=0.3", []),
    "tail": (f"{PAIR} tail_exponent=2 tail_range=1.5", []),
}


@pytest.mark.parametrize("name", MODELS)
def test_imported_potentials_give_what_quip_gives(tmp_path, name):
    descriptors, extra = MODELS[name]
    xml = train(tmp_path, descriptors, extra=extra)
    model, warnings = import_gap(xml)
    assert warnings == []
    for atoms in structures().values():
        assert_same(model, xml, atoms)
