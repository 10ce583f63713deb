# SPDX-License-Identifier: BSD-3-Clause
"""Figure 4 of Willatt, Musil, Ceriotti (2018) on QM7: an alchemical kernel beside radial scaling.

κ is Gaussian in electronegativity and van der Waals radius, eq. (3f), with as many pseudo-species
as there are elements, so that nothing is left out; sums of kernels beside it.

  python benchmarks/papers/figure_4.py --plot docs/images/figure_4.png
  python benchmarks/papers/figure_4.py --quick
"""

from molecules import curves, options, plot, table_of, term

SCALING = (1.5, 7.0)
SPECIES = {"QM7": 5, "small_molecules_1000": 4}
SIGMAS = ((0.5, 0.5), (1.0, 1.0), (2.0, 2.0))


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
    maps = {
        f"scaled, alchemical ({e:g}, {r:g} Å)": alchemical((e, r), SPECIES[arguments.set])
        for e, r in SIGMAS
    }
    scaled, plain = term(5.0, SCALING), term(2.0, delta=0.5)
    representations = {"3 Å": [term(3.0)], "scaled": [scaled]}
    representations |= {name: [scaled | own] for name, own in maps.items()}
    representations |= {
        "scaled and 2 Å": [scaled, plain],
        "scaled, alchemical, and scaled": [scaled | maps["scaled, alchemical (1, 1 Å)"], scaled],
    }
    shown = {"3 Å": {"ls": "--", "color": "#8c4f9e"}, "scaled": {"color": "black", "lw": 2}}
    results = curves(representations, arguments)
    print(table_of(results))
    if arguments.plot:
        plot(results, arguments.plot, f"{arguments.set}: alchemical kernels", shown)


if __name__ == "__main__":
    main()
