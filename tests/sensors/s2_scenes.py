"""Small simulated Sentinel-2 products with reflectance that differs from pixel to pixel."""

import datetime as dt

import numpy as np

from sarcube.simulate.sentinel2 import Sentinel2Options, write_sentinel2

SIZE = 3_000


def field(name, resolution, size=SIZE):
    """Reflectance from below zero to above one, with nothing seen in a corner."""
    n = size // resolution
    rng = np.random.default_rng(sum(map(ord, name)))
    values = rng.uniform(-0.01, 1.2, (n, n))
    values[: n // 4, : n // 5] = np.nan
    return np.round(values, 4)


def product(folder, bands=("B02", "B8A", "B12"), *, as_zip=False, clouds=None, scl=None, **options):
    from sarcube.sensors.sentinel2.bands import BANDS

    options.setdefault("start", dt.datetime(2021, 8, 15, 11, 6, 21, tzinfo=dt.UTC))
    options = Sentinel2Options(size=SIZE, bands=tuple(bands), **options)
    values = {name: field(name, BANDS[name].resolution) for name in bands}
    return write_sentinel2(folder, options, values, scl=scl, clouds=clouds, as_zip=as_zip)
