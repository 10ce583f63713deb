# SPDX-License-Identifier: BSD-3-Clause
"""Kinds of terms, one file each with the outline of ``term.py``; models made of them."""

from potential.terms.kinds import kind_of, kind_of_settings, term_of, terms_of
from potential.terms.training_model import TrainingModel, build_model

__all__ = ["TrainingModel", "build_model", "kind_of", "kind_of_settings", "term_of", "terms_of"]
