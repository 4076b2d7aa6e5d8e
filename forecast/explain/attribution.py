"""What moved a forecast: each output shared out among the features and sessions of its window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from forecast.networks.cells import Array, Weights
from forecast.networks.gradients import output_gradients

TOLERANCE = 0.01
_NOTHING = 1e-9      # below this a difference of outputs is rounding
_NODES = 8           # of the quadrature, on each piece of the way
_FIRST_PIECES = 4
_HALVINGS = 10       # a piece ends no smaller than 1 / 4096 of the way
_BLOCK = 256         # points that travel through the network together


@dataclass(frozen=True)
class Attribution:
    """One output of a network, shared out.

        output = baseline_output + sum of shares        (but for `gap`)

    Args:
        shares: what each number of the window contributed, shape (lookback, n_features).
        output: what the network answered.
        baseline_output: what it answers to the baseline window.
        gap: how far the shares miss the difference of both outputs, as a share of it.
    """

    shares: Array
    output: float
    baseline_output: float
    gap: float

    @property
    def is_complete(self) -> bool:
        """True where the shares make up the difference within one percent."""
        return self.gap <= TOLERANCE

    def scaled(self, unit: float) -> Attribution:
        """The same in another unit: everything but the gap times `unit`."""
        return Attribution(self.shares * unit, self.output * unit, self.baseline_output * unit, self.gap)


def integrated_gradients(
    network: str, n_layers: int, seeds: Sequence[Weights], window: Array, baseline: Array, output: int
) -> Attribution:
    """Share an output out by integrating its gradient on the straight way from baseline to window.

        share = (x - x') * integral over a from 0 to 1 of d output(x' + a (x - x')) / d x

    Shares of a piece of the way must add up to what the output does on that piece, which is known;
    pieces where they do not are halved. Gauss-Legendre quadrature in double precision. The mean over
    seeds explains the mean of their outputs, since the method is linear in the network.

    Args:
        network, n_layers: as for `forecast.networks.cells.forward`.
        seeds: the weights that each seed led to, at least one.
        window: scaled, shape (lookback, n_features).
        baseline: the window it is compared with, same shape.
        output: which of the network's outputs.

    Returns:
        Shares in the unit of the output; `is_complete` says whether they add up.

    Raises:
        RunError: when the weights are not those of such a network.

    Source: Sundararajan, Taly and Yan (2017), equation 1; completeness is their proposition 1.
    """
    window, baseline = window.astype(float), baseline.astype(float)
    each = [_share_out(_Way(network, n_layers, weights, window, baseline, output)) for weights in seeds]
    shares, here, there = (np.mean(values, axis=0) for values in zip(*each, strict=True))
    return Attribution(shares, float(here), float(there), _gap(float(shares.sum()), float(here - there)))


class _Way:
    """The straight way from a baseline (0) to a window (1), and one output of one network along it."""

    def __init__(self, network: str, n_layers: int, weights: Weights, window: Array, baseline: Array, output: int):
        self.baseline = baseline
        self.direction = window - baseline
        precise = [array.astype(float) for array in weights]
        self._gradients = partial(output_gradients, network, n_layers, precise, output=output)

    def at(self, points: Array) -> tuple[Array, Array]:
        """Outputs (n_points,) and gradients (n_points, lookback, n_features) at points within [0, 1]."""
        blocks = np.split(points, range(_BLOCK, len(points), _BLOCK))
        pairs = [self._gradients(self.baseline + block[:, None, None] * self.direction) for block in blocks]
        outputs, gradients = zip(*pairs, strict=True)
        return np.concatenate(outputs), np.concatenate(gradients)


def _share_out(way: _Way) -> tuple[Array, float, float]:
    """Shares, and the output at the window and at the baseline, of one network."""
    (there, here), _ = way.at(np.array([0.0, 1.0]))
    allowed = max(TOLERANCE / 2.0 * abs(here - there), _NOTHING)
    pieces = np.linspace(0.0, 1.0, _FIRST_PIECES + 1)
    pieces = np.column_stack([pieces[:-1], pieces[1:]])  # (n_pieces, 2): from, to
    shares = np.zeros_like(way.direction)
    for last in (False,) * _HALVINGS + (True,):
        found, missed = _share_out_pieces(way, pieces)
        done = last | (missed <= allowed * (pieces[:, 1] - pieces[:, 0]))
        shares += found[done].sum(axis=0)
        pieces = _halved(pieces[~done])
        if not len(pieces):
            break
    return shares, here, there


def _share_out_pieces(way: _Way, pieces: Array) -> tuple[Array, Array]:
    """Shares of each piece (n_pieces, lookback, n_features), and by how much they miss (n_pieces,)."""
    nodes, parts = np.polynomial.legendre.leggauss(_NODES)  # on [-1, 1], parts that sum to 2
    middle, half = pieces.mean(axis=1), (pieces[:, 1] - pieces[:, 0]) / 2.0
    _, gradients = way.at((middle[:, None] + half[:, None] * nodes).ravel())
    means = np.tensordot(parts, gradients.reshape(len(pieces), _NODES, *way.direction.shape), axes=(0, 1))
    shares = half[:, None, None] * means * way.direction
    outputs = way.at(pieces.ravel())[0].reshape(-1, 2)
    return shares, np.abs(shares.sum(axis=(1, 2)) - (outputs[:, 1] - outputs[:, 0]))


def _halved(pieces: Array) -> Array:
    """Each piece as its two halves."""
    middle = pieces.mean(axis=1)
    return np.concatenate([np.column_stack([pieces[:, 0], middle]), np.column_stack([middle, pieces[:, 1]])])


def _gap(found: float, wanted: float) -> float:
    """How far `found` is off, as a share of `wanted`; 0 where both are nothing but rounding."""
    if abs(found - wanted) <= _NOTHING:
        return 0.0
    return abs(found - wanted) / abs(wanted) if wanted else float("inf")
