# SPDX-License-Identifier: BSD-3-Clause
"""Figure 3 of Willatt, Musil, Ceriotti (2018) on QM7: radial scaling against cutoffs and their sum.

Learning curves of energies of atomisation: plain SOAP at cutoffs of 2 to 5 Å, the sum of four
kernels, and the radial scaling of eq. (1b) at 5 Å, with the parameters that suit molecules and with
those of the package. The shares of the kernels in the sum were chosen with --validate.

  python benchmarks/papers/figure_3.py --plot docs/images/figure_3.png
  python benchmarks/papers/figure_3.py --validate
  python benchmarks/papers/figure_3.py --quick
  python benchmarks/papers/figure_3.py --set small_molecules_1000
"""

from collections.abc import Sequence

from molecules import N_SPARSE, Term, curves, options, plot, table_of, term

CUTOFFS = (2.0, 2.5, 3.0, 4.0, 5.0)
SCALED = "5 Å, scaled (1.5 Å, 7)"
SUM = "sum of 2, 3, 4, 5 Å"
DELTAS = (1.0, 0.1, 0.1, 0.1)  # of the kernels of 2, 3, 4, 5 Å
TRIED = ((1.0, 1.0, 1.0, 1.0), (1.0, 0.3, 0.1, 0.1), (1.0, 0.1, 0.03, 0.03), DELTAS)


def sum_of_kernels(deltas: Sequence[float]) -> list[Term]:
    """Kernels of 2, 3, 4 and 5 Å, each with half the sparse points of the others."""
    points = {name: n // 2 for name, n in N_SPARSE.items()}
    own = zip((2.0, 3.0, 4.0, 5.0), deltas, strict=True)
    return [term(cutoff, delta=delta, n_sparse=points) for cutoff, delta in own]


REPRESENTATIONS = {
    **{f"{cutoff:g} Å": [term(cutoff)] for cutoff in CUTOFFS},
    SUM: sum_of_kernels(DELTAS),
    "5 Å, scaled (3 Å, 4), the default": [term(5.0, (3.0, 4.0))],
    SCALED: [term(5.0, (1.5, 7.0))],
}
SHOWN = {
    **{
        f"{cutoff:g} Å": {"ls": "--", "color": color}
        for cutoff, color in zip(
            CUTOFFS, ("#c0392b", "#a8437a", "#8c4f9e", "#5f5cb5", "#2d6cb5"), strict=True
        )
    },
    SUM: {"color": "#888888", "lw": 2},
    "5 Å, scaled (3 Å, 4), the default": {"color": "#27915b"},
    SCALED: {"color": "black", "lw": 2},
}


def main() -> None:
    arguments = options(__doc__).parse_args()
    tried = {f"sum, δ = {deltas}": sum_of_kernels(deltas) for deltas in TRIED}
    results = curves(tried if arguments.validate else REPRESENTATIONS, arguments)
    print(table_of(results))
    if arguments.plot:
        plot(results, arguments.plot, f"{arguments.set}: radial scaling", SHOWN)


if __name__ == "__main__":
    main()
