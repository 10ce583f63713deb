# SPDX-License-Identifier: BSD-3-Clause
"""The model as a PES class of i-PI, for ``<ffdirect>`` and ``i-pi-driver-py -m custom -P``.

i-PI executes this file by its path, so it imports by absolute names only. The path is printed by
``soap-gpr drive --pes-path``.
"""

import numpy as np
from ipi.pes.dummy import Dummy_driver

from ipi_driver.evaluation import Evaluator
from potential.model import Model
from potential.runtime.parallel import thread_count

__DRIVER_NAME__ = "soap_gpr"
__DRIVER_CLASS__ = "SoapGprDriver"


class SoapGprDriver(Dummy_driver):
    """A soap-gpr model inside i-PI or i-PI's own Python driver.

    Parameters
    ----------
    model : path of a model file (*.sgpr)
    template : path of a structure that ASE reads, with the species in i-PI's order
    n_threads : threads for each evaluation
    uncertainty : energies, forces, variance, targets and targets_variance, those wanted
        separated by blanks
    derivatives : names of vectors and tensors whose derivatives go into the extras, separated by
        blanks
    verbose, verbosity, ... : accepted because i-PI passes them; nothing is ever printed

    Raises SoapGprError for a wrong file at construction and for numbers that are not finite.
    """

    def __init__(
        self,
        model,
        template,
        n_threads=1,
        uncertainty="",
        derivatives="",
        verbose=False,
        **kwargs,
    ):
        n_threads = thread_count(n_threads)
        self._evaluator = Evaluator(
            Model.load(str(model)),
            str(template),
            uncertainty=uncertainty.split(),
            derivatives=derivatives.split(),
            n_threads=n_threads,
        )
        super().__init__(verbose, **kwargs)

    def compute_structure(self, cell, pos):
        """Energy (hartree), forces (N,3), virial (3,3) and extras for cell columns in bohr."""
        self._evaluator.check_n_atoms(len(pos))
        forces, virial = np.empty((len(pos), 3)), np.empty((3, 3))
        energy, extras = self._evaluator.evaluate(cell, pos, forces, virial)
        return energy, forces, virial, extras.decode("ascii")

    def compute(self, cell, pos):
        """One structure, or lists of them (i-PI's batches)."""
        if isinstance(cell, list):
            return [self.compute_structure(*pair) for pair in zip(cell, pos, strict=True)]
        return self.compute_structure(cell, pos)
