# SPDX-License-Identifier: BSD-3-Clause
"""Figure 4 of Willatt, Musil, Ceriotti (2018) on QM7: an alchemical kernel beside radial scaling.

κ is Gaussian in electronegativity and van der Waals radius, eq. (3f), with as many pseudo-species
as there are elements, so that nothing is left out; sums of kernels beside it. The two σ were chosen
with --validate.

  python benchmarks/papers/figure_4.py --plot docs/images/figure_4.png
  python benchmarks/papers/figure_4.py --validate
  python benchmarks/papers/figure_4.py --quick
"""

from itertools import product

from molecules import curves, options, plot, table_of, term

SCALING = (1.5, 7.0)
SPECIES = {"QM7": 5, "small_molecules_1000": 4}
SIGMAS = (2.0, 0.5)
TRIED = (0.5, 1.0, 2.0)  # of each σ, with all of the other


def alchemical(sigmas: tuple[float, float], dimensions: int) -> dict:
    """The setting of a term."""
    return {
        "alchemy": {
            "dimensions": dimensions,
            "sigma_electronegativity": sigmas[0],
            "sigma_radius": sigmas[1],
        }
    }


def main() -> None:
    arguments = options(__doc__).parse_args()
    species = SPECIES[arguments.set]
    scaled, plain = term(5.0, SCALING), term(2.0, delta=0.5)
    if arguments.validate:
        tried = {pair: scaled | alchemical(pair, species) for pair in product(TRIED, TRIED)}
        representations = {"scaled": [scaled]}
        representations |= {f"alchemical {pair}": [own] for pair, own in tried.items()}
    else:
        best = scaled | alchemical(SIGMAS, species)
        representations = {
            "3 Å": [term(3.0)],
            "5 Å, scaled (1.5 Å, 7)": [scaled],
            "scaled, alchemical": [best],
            "scaled and 2 Å": [scaled, plain],
        }
    shown = {
        "3 Å": {"ls": "--", "color": "#8c4f9e"},
        "5 Å, scaled (1.5 Å, 7)": {"color": "black", "lw": 2},
    }
    results = curves(representations, arguments)
    print(table_of(results))
    if arguments.plot:
        plot(results, arguments.plot, f"{arguments.set}: alchemical kernels", shown)


if __name__ == "__main__":
    main()
