# SPDX-License-Identifier: BSD-3-Clause
"""Maps: kernel principal components of points on a sparse set of them, and UMAP of these."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from potential.errors import SoapGprError
from potential.maps.points import Points, blocks
from potential.runtime.progress import Progress, silent
from potential.selection.farthest import farthest_of

METHODS = ("kpca", "umap")
# Eigenvalues below this part of the largest are what rounding leaves of 0.
RANK = 1e-10
COMPONENTS = 4
CANDIDATES = 4000  # points that landmarks are chosen of
FOR_UMAP = 50  # components that UMAP starts from


@dataclass(frozen=True)
class Projection:
    """Where points lie in a few dimensions."""

    coordinates: np.ndarray  # (n, n_components)
    names: list[str]  # of the dimensions
    n_landmarks: int  # points that the components are combinations of
    share: float | None  # of the variance, in the first two dimensions


def project(
    points: Points,
    method: str = "kpca",
    *,
    n_landmarks: int = 500,
    seed: int = 0,
    progress: Progress = silent,
) -> Projection:
    """The points in the kernel's principal components, or in two dimensions of UMAP.

    UMAP starts from 50 of the components. Raises SoapGprError for fewer than three points, points
    that are all the same, another method, and UMAP without umap-learn.
    """
    if method == "kpca":
        scores, shares, n = kernel_pca(
            points, COMPONENTS, n_landmarks=n_landmarks, seed=seed, progress=progress
        )
        names = [f"component {k + 1}, {100 * s:.3g} %" for k, s in enumerate(shares)]
        return Projection(scores, names, n, float(shares[:2].sum()))
    if method != "umap":
        raise SoapGprError(f"method: found {method!r}, expected one of {', '.join(METHODS)}")
    umap = _umap()
    scores, _, n = kernel_pca(
        points, FOR_UMAP, n_landmarks=n_landmarks, seed=seed, progress=progress
    )
    reducer = umap.UMAP(
        n_components=2, n_neighbors=min(15, len(points) - 1), random_state=seed, n_jobs=1
    )
    return Projection(np.asarray(reducer.fit_transform(scores)), ["UMAP 1", "UMAP 2"], n, None)


def kernel_pca(
    points: Points,
    n_components: int,
    *,
    n_landmarks: int,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[np.ndarray, np.ndarray, int]:
    """Principal components (n, n_components) of the points in the space of their kernel, about
    their mean (docs/theory.md eq. 24j); the share of the variance of each; the number of landmarks.

    With at most n_landmarks points these are all kernel principal components (those of
    scikit-learn's KernelPCA). Of more, the space is that of n_landmarks chosen by farthest points
    (Nystroem's approximation), in memory n_landmarks n, and shares are those of the variance in it.
    Signs are such that the largest coordinate is positive. Where there are fewer dimensions, the
    other components are 0. Raises SoapGprError for fewer than three points and for points that are
    all the same.
    """
    n = len(points)
    if n < 3:
        raise SoapGprError(f"found {n} point{'s' * (n != 1)}, expected at least three for a map")
    chosen = landmarks(points, n_landmarks, seed, progress)
    X = _coordinates(points, chosen, progress)
    X -= X.mean(axis=0)
    if (X**2).sum() <= RANK * np.abs(points.own).sum():
        raise SoapGprError("found points that are all the same, expected some that differ")
    variance, axes = np.linalg.eigh(X.T @ X)
    axes = axes[:, ::-1][:, :n_components]
    found = np.zeros((n, n_components))
    found[:, : axes.shape[1]] = X @ axes
    largest = found[np.abs(found).argmax(axis=0), np.arange(n_components)]
    found *= np.where(largest < 0, -1.0, 1.0)
    shares = np.zeros(n_components)
    shares[: axes.shape[1]] = np.maximum(variance[::-1][:n_components], 0.0) / variance.sum()
    return found, shares, len(chosen)


def landmarks(
    points: Points, n_landmarks: int, seed: int = 0, progress: Progress = silent
) -> np.ndarray:
    """Indices of the most different points, all where there are no more than asked for; of more
    than 4000 points, the most different ones of 4000 at random."""
    if len(points) <= n_landmarks:
        return np.arange(len(points))
    rng = np.random.default_rng(seed)
    candidates = np.arange(len(points))
    if len(points) > CANDIDATES:
        candidates = np.sort(rng.choice(len(points), max(CANDIDATES, n_landmarks), replace=False))
    K = np.empty((len(candidates), len(candidates)))
    pairs = [(I, J) for I in blocks(len(K)) for J in blocks(len(K)) if I[0] <= J[0]]
    for I, J in progress(pairs, "kernels"):
        block = points.between(candidates[I], candidates[J])
        K[np.ix_(I, J)] = block
        K[np.ix_(J, I)] = block.T

    def between(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return K[np.ix_(rows, columns)]

    return candidates[farthest_of(np.diag(K), between, n_landmarks, seed=rng)]


def _coordinates(points: Points, chosen: np.ndarray, progress: Progress) -> np.ndarray:
    """X (n, rank) with X Xᵀ = K_NM K_MM⁻¹ K_MN for landmarks M."""
    values, vectors = np.linalg.eigh(points.between(chosen, chosen))
    kept = values > RANK * max(float(values[-1]), 0.0)
    to_space = vectors[:, kept] / np.sqrt(values[kept])
    parts = progress(list(blocks(len(points))), "kernels")
    return np.concatenate([points.between(own, chosen) @ to_space for own in parts])


def _umap():
    try:
        with warnings.catch_warnings():  # its own, of packages that it could use
            warnings.simplefilter("ignore")
            import umap
    except ImportError:
        raise SoapGprError(
            "method umap needs the package umap-learn, which is not installed"
        ) from None
    return umap
