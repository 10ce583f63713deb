# SPDX-License-Identifier: BSD-3-Clause
"""Units at the i-PI boundary: Å and eV inside, bohr and hartree on the wire.

i-PI 3.3.1 (``ipi.utils.units.UnitMap``) converts with CODATA 1998 values rounded to eight digits,
about 1e-7 away from today's. We use the very same digits, so that a structure read by i-PI in
``angstrom`` reaches the model unchanged and what i-PI prints in ``electronvolt`` and ``ev/ang`` is
what the model said. i-PI's rounded force unit differs from HARTREE_PER_EV / BOHR_PER_ANGSTROM by
1e-7 relative, which is far below what a conserved energy can show.
"""

BOHR_PER_ANGSTROM = 1.8897261
HARTREE_PER_EV = 0.036749326
HARTREE_PER_BOHR_PER_EV_PER_ANGSTROM = 0.019446904

ANGSTROM_PER_BOHR = 1.0 / BOHR_PER_ANGSTROM
