"""Statistics of the neighbours of candidates: windows that grow until enough of them are valid."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

# Columns of what `backgrounds` returns.
(T4, T11, DT, T4_DEVIATION, T11_DEVIATION, DT_DEVIATION, FIRE_T4, FIRE_DEVIATION, FIRES, VALID, SIZE, CLOUDS, WATERS,
 L4, L4_DEVIATION) = range(15)  # fmt: skip
_COLUMNS = 15
# Classes of pixels.
CLEAR, CLOUD, WATER, FIRE, MISSING = range(5)


@numba.njit(cache=True, nogil=True)
def _edges(centre: int, n: int, size: int) -> tuple[int, int]:
    return max(centre - n, 0), min(centre + n + 1, size)


@numba.njit(cache=True, nogil=True)
def _sums(
    r: int, c: int, n: int, classes: NDArray[np.uint8], fields: NDArray[np.float64], middle: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sums of distances from `middle` (T4, T11, dT, L4, T4 of fires) over a window; then valid, fires, inside.

    With a middle of zeros these are the sums themselves.
    """
    out = np.zeros(8)
    top, bottom = _edges(r, n, classes.shape[0])
    left, right = _edges(c, n, classes.shape[1])
    for i in range(top, bottom):
        for j in range(left, right):
            if i == r and abs(j - c) <= 1:
                continue  # the pixel and those beside it along the scan
            out[7] += 1
            t4, t11 = fields[0, i, j], fields[1, i, j]
            if classes[i, j] == CLEAR:
                out[5] += 1
                out[0] += abs(t4 - middle[0])
                out[1] += abs(t11 - middle[1])
                # Signed where means are wanted: T4 may be the lower one.
                out[2] += abs(t4 - t11 - middle[2]) if middle[0] > 0 else t4 - t11
                out[3] += abs(fields[2, i, j] - middle[3])
            elif classes[i, j] == FIRE:
                out[6] += 1
                out[4] += abs(t4 - middle[4])
    return out


@numba.njit(cache=True, nogil=True)
def _near(r: int, c: int, classes: NDArray[np.uint8], wanted: int) -> int:
    """How many of the eight neighbours are of a class."""
    found = 0
    top, bottom = _edges(r, 1, classes.shape[0])
    left, right = _edges(c, 1, classes.shape[1])
    for i in range(top, bottom):
        for j in range(left, right):
            found += classes[i, j] == wanted
    return found


@numba.njit(cache=True, nogil=True)
def backgrounds(
    rows: NDArray[np.int64], columns: NDArray[np.int64], classes: NDArray[np.uint8], fields: NDArray[np.float64],
    limits: tuple[int, float, int],
) -> NDArray[np.float64]:  # fmt: skip
    """For each candidate means and mean absolute deviations over its window (Giglio et al. 2003, section 3.2.3).

    Parameters
    ----------
    rows, columns : (n,) arrays
    classes : (y, x) array of CLEAR, CLOUD, WATER, FIRE, MISSING
        CLEAR pixels are background; FIRE are likely fires, which are not.
    fields : (3, y, x) array
        T4 and T11 in kelvin, radiance of T4.
    limits : (largest, share, fewest)
        Windows have 2 n + 1 pixels a side, n up to `largest`; of the window that share and number must be valid.

    Returns
    -------
    (n, 15) array
        Columns as named in this module; SIZE is 0 where no window was good enough. CLOUDS and WATERS are counted among
        the eight neighbours.
    """
    largest, share, fewest = limits
    out = np.zeros((rows.size, _COLUMNS))
    for k in range(rows.size):
        r, c = rows[k], columns[k]
        out[k, CLOUDS], out[k, WATERS] = _near(r, c, classes, CLOUD), _near(r, c, classes, WATER)
        for n in range(1, largest + 1):
            sums = _sums(r, c, n, classes, fields, np.zeros(5))
            valid, fires = sums[5], sums[6]
            if valid < fewest or valid < share * sums[7]:
                continue
            middle = sums[:5] / valid
            middle[4] = sums[4] / fires if fires > 0 else 0.0
            apart = _sums(r, c, n, classes, fields, middle)
            out[k, T4], out[k, T11], out[k, DT], out[k, L4] = middle[0], middle[1], middle[2], middle[3]
            out[k, T4_DEVIATION], out[k, T11_DEVIATION] = apart[0] / valid, apart[1] / valid
            out[k, DT_DEVIATION], out[k, L4_DEVIATION] = apart[2] / valid, apart[3] / valid
            out[k, FIRES], out[k, VALID], out[k, SIZE] = fires, valid, 2 * n + 1
            out[k, FIRE_T4] = middle[4]
            out[k, FIRE_DEVIATION] = apart[4] / fires if fires > 0 else 0.0
            break
    return out
