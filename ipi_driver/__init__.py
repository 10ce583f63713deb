# SPDX-License-Identifier: BSD-3-Clause
"""The i-PI client of soap-gpr: a model answers energies, forces and virials over a socket."""

from ipi_driver.client import Client, connect_tcp, connect_unix
from ipi_driver.evaluation import Evaluator

__all__ = ["Client", "Evaluator", "connect_tcp", "connect_unix"]
