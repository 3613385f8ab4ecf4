"""Where the coded bits sit: a tile of 32 × 32 chips, ±1 each, repeated 2 × 2 times over every picture.

A picture of any size and shape is thought of as stretched over a grid of 64 × 64 chips, coarse enough to outlast heavy
compression. Each tile holds the whole message, so that a crop keeps it; a quarter of the chips are a fixed
synchronisation pattern by which a reader finds the tile's place and scale. The second, semi-fragile pattern is twice
as fine and not tiled: all its chips follow from the message, so that a piece moved within a picture, or brought from
another marked picture, does not fit.
"""

from functools import lru_cache

import numpy as np

from likeness.prove.watermark.message import CODED_BITS, MarkId, Message, encode

GRID = 64  # chips of the robust pattern along each side of a picture
SECOND_GRID = 128  # chips of the semi-fragile pattern
TILE = 32  # chips along each side of a tile
TILES = GRID // TILE

_SYNC_CHIPS = 256
_LAYOUT_SEED = 0x4C494B45  # fixed for version 1: changing it would make all older marks unreadable
_SECOND_SEED = 0x4E455353


@lru_cache(maxsize=1)
def _layout() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For the chips of a tile in reading order: which coded bit (−1: synchronisation), sign ±1, and sync tile."""
    draw = np.random.Generator(np.random.PCG64(_LAYOUT_SEED))
    places = draw.permutation(TILE * TILE)
    bit = np.full(TILE * TILE, -1)
    data = places[_SYNC_CHIPS:]
    bit[data] = np.arange(len(data)) % CODED_BITS
    sign = draw.choice(np.array([-1.0, 1.0], dtype=np.float32), TILE * TILE)
    sync = np.where(bit < 0, sign, 0.0).astype(np.float32).reshape(TILE, TILE)
    return bit, sign, sync


def sync_tile() -> np.ndarray:
    """The synchronisation pattern: float32 (32, 32), ±1 on its chips and 0 elsewhere."""
    return _layout()[2]


def tile(message: Message) -> np.ndarray:
    """The tile that says ``message``: float32 (32, 32) of ±1."""
    bit, sign, _ = _layout()
    coded = np.concatenate([2.0 * encode(message) - 1.0, [1.0]])  # the last stands for synchronisation
    return (sign * coded[bit]).astype(np.float32).reshape(TILE, TILE)


def chips(message: Message) -> np.ndarray:
    """The robust pattern over a whole picture: float32 (64, 64) of ±1."""
    return np.tile(tile(message), (TILES, TILES))


def second_chips(mark_id: MarkId) -> np.ndarray:
    """The semi-fragile pattern of ``mark_id`` over a whole picture: float32 (128, 128) of ±1."""
    draw = np.random.Generator(np.random.PCG64([_SECOND_SEED, int(mark_id, 16)]))
    return draw.choice(np.array([-1.0, 1.0], dtype=np.float32), (SECOND_GRID, SECOND_GRID))


def despread(folded: np.ndarray) -> np.ndarray:
    """Evidence for each coded bit, float (228,), from a tile of soft chips (32, 32) in place."""
    bit, sign, _ = _layout()
    data = bit >= 0
    return np.bincount(bit[data], weights=(sign * folded.reshape(-1))[data], minlength=CODED_BITS)
