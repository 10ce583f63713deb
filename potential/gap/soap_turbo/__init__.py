# SPDX-License-Identifier: BSD-3-Clause
"""QUIP's soap_turbo descriptors as soap terms."""
