# SPDX-License-Identifier: BSD-3-Clause
"""The one exception for everything a user can put right."""


class SoapGprError(Exception):
    """One sentence: the file, the key, what was found and what is expected.

    The command line prints it as ``soap-gpr: error: <message>`` and exits with code 1.
    """


def one_line(text: str) -> str:
    """The text with line breaks and the like, which names of files may have, as Python writes
    them."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
