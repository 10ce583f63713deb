# SPDX-License-Identifier: BSD-3-Clause
"""Model files: read, evaluated, compressed; the ASE calculator."""

from potential.model.contents import TRIANGLE
from potential.model.environments import Environments
from potential.model.model import Model
from potential.model.result import Evaluation

__all__ = ["TRIANGLE", "Environments", "Evaluation", "Model"]
