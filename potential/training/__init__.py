# SPDX-License-Identifier: BSD-3-Clause
"""From settings and structures to a model."""
