# SPDX-License-Identifier: BSD-3-Clause
"""Infrared and Raman spectra of series of dipoles and polarizabilities over time."""
