# SPDX-License-Identifier: BSD-3-Clause
"""The command ``soap-gpr drive``, which is also ``python -m ipi_driver``."""

import argparse
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

from ipi_driver.client import DEFAULT_PREFIX, DEFAULT_TIMEOUT, Client, connect_tcp, connect_unix
from ipi_driver.evaluation import Evaluator
from potential.errors import SoapGprError
from potential.measures import MEASURES
from potential.runtime.parallel import MOST_THREADS

EXAMPLE = """\
examples:
  soap-gpr drive model.sgpr --template start.xyz --unix water
  soap-gpr drive model.sgpr --template start.xyz --host localhost --port 31415
  i-pi-driver-py -m custom -P $(soap-gpr drive --pes-path) -o model.sgpr,start.xyz -u -a water

NAME, H and N are the <address> and <port> of <ffsocket> in i-PI's input. i-PI and its clients may
start in any order, and any number of clients can serve one i-PI.
"""


class _PrintPesPath(argparse.Action):
    def __call__(self, parser, namespace, values, option_string=None):
        print(Path(__file__).with_name("pes.py"))
        parser.exit()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr drive`` on ``parser``."""
    parser.description = "Serve energies, forces and virials of a model to i-PI over a socket."
    parser.epilog = EXAMPLE
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("model", help="model file (*.sgpr)")
    parser.add_argument(
        "--template",
        required=True,
        metavar="FILE",
        help="structure with the species in i-PI's order, and the periodicity; anything ASE reads",
    )
    parser.add_argument("--unix", metavar="NAME", help="UNIX socket: the <address> in i-PI's input")
    parser.add_argument("--host", metavar="H", help="TCP: host of i-PI (default localhost)")
    parser.add_argument("--port", metavar="N", type=int, help="TCP: port of i-PI")
    parser.add_argument(
        "--prefix",
        default=DEFAULT_PREFIX,
        help="what i-PI puts before NAME, its sockets_prefix (default %(default)s)",
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=DEFAULT_TIMEOUT,
        metavar="S",
        help="seconds to wait for i-PI to start, inf for ever (default %(default)g)",
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        metavar="N",
        help="threads for each evaluation (default 1; with many beads, more clients scale better)",
    )
    parser.add_argument(
        "--uncertainty",
        nargs="+",
        default=(),
        choices=MEASURES,
        metavar="MEASURE",
        help="energies, forces (of the members of the model's committee, as <ffcommittee> with "
        "<parse_json> reads them), variance (of atoms), targets and targets_variance (of those of "
        "atoms) go into the extras",
    )
    parser.add_argument(
        "--derivatives",
        nargs="+",
        default=(),
        metavar="NAME",
        help="vectors and tensors of the model whose derivatives by positions go into the extras: "
        "of dipole as BEC and dipole_derivative, of others as NAME_derivative",
    )
    parser.add_argument(
        "--batch",
        action="store_true",
        help="insist on batched requests (<batch_size> in <ffsocket>); they are always understood",
    )
    parser.add_argument(
        "--pes-path",
        action=_PrintPesPath,
        nargs=0,
        help="print the path of the PES class for <ffdirect> and i-pi-driver-py, and exit",
    )


def run(args: argparse.Namespace) -> int:
    """Run the client; returns 0 (i-PI said EXIT), 1 (failed), 2 (wrong usage), 130 (Ctrl-C)."""
    usage = _usage_error(args)
    if usage:
        return _complain(usage, 2)
    try:
        with _sigterm_as_error():
            _drive(args)
    except SoapGprError as error:
        return _complain(error, 1)
    except KeyboardInterrupt:
        _say("interrupted")
        return 130  # as every shell reports Ctrl-C
    return 0


def main(argv=None) -> int:
    """Entry point of ``python -m ipi_driver``."""
    parser = argparse.ArgumentParser(prog="python -m ipi_driver")
    add_arguments(parser)
    return run(parser.parse_args(argv))


def _drive(args):
    # Imported here so that --help and usage errors need no compiled core.
    from potential.model import Model

    evaluator = Evaluator(
        Model.load(args.model),
        args.template,
        uncertainty=args.uncertainty,
        derivatives=args.derivatives,
        n_threads=args.threads,
    )
    for note in evaluator.notes:
        _say(f"warning: {note}")
    if args.unix is not None:
        where = args.prefix + args.unix
        sock = connect_unix(args.unix, args.prefix, args.timeout)
    else:
        where = f"{args.host or 'localhost'} port {args.port}"
        sock = connect_tcp(args.host or "localhost", args.port, args.timeout)
    pbc = "".join("FT"[int(periodic)] for periodic in evaluator.pbc)
    _say(f"connected to i-PI at {where}: {evaluator.formula}, pbc {pbc}")
    client = Client(sock, evaluator, require_batch=args.batch)
    client.run()
    mean = 1e3 * client.evaluation_seconds / max(client.evaluations, 1)
    _say(f"i-PI said EXIT after {client.evaluations} evaluations, {mean:.3g} ms each in the model")


def _usage_error(args):
    if (args.unix is None) == (args.port is None):
        return "expected either --unix NAME or --port N (with --host H), not both and not neither"
    if args.unix is not None and args.host is not None:
        return "--host was given with --unix; expected it only with --port"
    if args.unix == "":
        return "--unix is empty; expected the <address> in i-PI's input"
    if args.port is not None and not 0 < args.port < 65536:
        return f"--port is {args.port}; expected a number from 1 to 65535"
    if not args.timeout >= 0:
        return f"--timeout is {args.timeout}; expected seconds, 0 or more"
    if not 1 <= args.threads <= MOST_THREADS:
        return f"--threads is {args.threads}; expected 1 to {MOST_THREADS}"
    return None


@contextmanager
def _sigterm_as_error():
    """Let SIGTERM unwind, so that the connection is closed without upsetting i-PI."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def raise_error(signum, frame):
        raise SoapGprError("stopped by SIGTERM")

    previous = signal.signal(signal.SIGTERM, raise_error)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _say(text):
    print(f"soap-gpr drive: {text}", file=sys.stderr, flush=True)


def _complain(text, code):
    _say(f"error: {text}")
    return code
