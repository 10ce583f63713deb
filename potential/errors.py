# SPDX-License-Identifier: BSD-3-Clause
"""The one exception for everything a user can put right."""


class SoapGprError(Exception):
    """One sentence: the file, the key, what was found and what is expected.

    The command line prints it as ``soap-gpr: error: <message>`` and exits with code 1.
    """
