# SPDX-License-Identifier: BSD-3-Clause
"""Model files: made, read, evaluated, compressed; the ASE calculator."""

from potential.model.model import COMPRESSED, Evaluation, Model, build_model

__all__ = ["COMPRESSED", "Evaluation", "Model", "build_model"]
