import math

import numpy as np
import pytest
import xarray as xr

from sarcube.engines.optical import burned
from sarcube.engines.optical.masks import (
    BUFFERED,
    CLEAR,
    CLOUD,
    CLOUD_CIRRUS,
    CLOUD_SHADOW,
    UNKNOWN,
    buffered,
    class_flags,
    l1c_cloud_classes,
    scl_clouds,
    sea_of_heights,
)
from sarcube.engines.optical.reflectance import Numbers, harmonise, to_reflectance


def pair(seed=0, shape=(200, 220)):
    rng = np.random.default_rng(seed)
    ranges = ((0.2, 0.5), (0.05, 0.3), (0.05, 0.4), (0.1, 0.4))
    return [rng.uniform(low, high, shape).astype(np.float32) for low, high in ranges]


def as_raster(values):
    return xr.DataArray(values, dims=("y", "x"))


def test_ratios_equal_those_of_xarray_spatial():
    multispectral = pytest.importorskip("xrspatial.multispectral")
    nir, swir, _, _ = pair()
    np.testing.assert_allclose(burned.nbr(nir, swir), multispectral.nbr(as_raster(nir), as_raster(swir)), atol=1e-6)


def test_differences_and_classes_equal_those_of_xarray_spatial():
    """Its module `fire`, which only its releases for Python 3.12 and later have."""
    fire = pytest.importorskip("xrspatial.fire")
    nir, swir, nir2, swir2 = pair()
    before, after = burned.nbr(nir, swir), burned.nbr(nir2, swir2)
    difference = before - after
    np.testing.assert_allclose(difference, fire.dnbr(as_raster(before), as_raster(after)), atol=1e-6)
    thousandths = fire.rdnbr(as_raster(1000 * difference), as_raster(1000 * before))  # what it expects
    ours, rooted = 1000 * burned.rdnbr(difference, before), np.abs(before) >= 0.001  # it divides by the least root, too
    np.testing.assert_allclose(ours[rooted], thousandths.values[rooted], rtol=1e-4)
    assert np.isnan(ours[~rooted]).all() and not rooted.all()
    edges = np.array([-0.25, -0.1, 0.1, 0.27, 0.44, 0.66])
    clear = (np.abs(difference[..., None] - edges) > 0.0015).all(axis=-1)  # its edges are the table's upper ends
    classes = fire.burn_severity_class(as_raster(difference)).values
    np.testing.assert_array_equal(burned.severity(difference)[clear], classes[clear])


def test_severity_is_key_and_bensons_table():
    thousandths = [-600, -251, -250, -101, -100, 0, 99, 100, 269, 270, 439, 440, 659, 660, 1300]
    want = [1, 1, 2, 2, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]
    assert burned.severity(np.array(thousandths) / 1000).tolist() == want
    assert burned.severity(np.array([math.nan])).tolist() == [burned.NOT_SEEN]
    assert burned.severity(np.float32([0.1, 0.27, 0.44, 0.66])).tolist() == [4, 5, 6, 7]


def test_sums_near_zero_have_no_ratio_and_negative_reflectance_is_kept():
    nir, swir = np.float32([0.0005, -0.02, 0.3]), np.float32([-0.0004, 0.12, np.nan])
    got = burned.nbr(nir, swir)
    assert np.isnan(got[[0, 2]]).all()
    assert got[1] == pytest.approx(-1.4)
    assert np.isnan(burned.rdnbr(np.float32([0.2]), np.float32([0.0])))[0]
    assert burned.rbr(np.float32([0.5]), np.float32([0.4]))[0] == pytest.approx(0.5 / 1.401)


def test_hectares_and_perimeters():
    classes = np.full((50, 60), 3, np.uint8)
    classes[10:20, 10:30] = 7
    classes[13:15, 15:18] = 3  # an island
    classes[40, 40] = 4
    area = burned.hectares(classes, 400.0)
    assert area["high"] == pytest.approx((200 - 6) * 0.04)
    assert area["low"] == pytest.approx(0.04)
    found = burned.perimeters(classes, (20.0, 0.0, 500_000.0, 0.0, -20.0, 4_000_000.0), 400.0, 0.2)
    assert [area for _, area in found] == [pytest.approx(7.76)]
    assert len(found[0][0].interiors) == 1


def test_reflectance_takes_the_offset_off_after_no_data():
    values = np.array([[0, 1, 999, 1000, 5000, 65535]], np.uint16)
    plain, shifted = Numbers(10_000, 0), Numbers(10_000, -1000)
    want = [np.nan, -0.0999, -0.0001, 0, 0.4, np.nan]
    np.testing.assert_allclose(to_reflectance(values, shifted)[0], want, atol=1e-7)
    np.testing.assert_allclose(to_reflectance(values, plain)[0, 1:5], [0.0001, 0.0999, 0.1, 0.5], atol=1e-7)
    numbers, raised, saturated = harmonise(values, shifted)
    assert numbers.tolist() == [[0, 1, 1, 1, 4000, 0]]
    assert (raised, saturated) == (3, 1)
    assert harmonise(values, plain)[0].tolist() == [[0, 1, 999, 1000, 5000, 0]]
    assert harmonise(values, Numbers(20_000, 0))[0][0, 4] == 2500


def test_cloud_classes():
    scl = np.arange(12, dtype=np.uint8)
    flags = class_flags(scl)
    want = [UNKNOWN, *[CLEAR] * 7, CLOUD, CLOUD, CLOUD_CIRRUS, CLEAR]
    assert scl_clouds(flags, shadow=False).tolist() == want
    want[3] = CLOUD_SHADOW
    assert scl_clouds(flags, shadow=True).tolist() == want
    assert l1c_cloud_classes(np.arange(8, dtype=np.uint8)).tolist() == [0, 3, 2, 3, 0, 3, 2, 3]


def test_buffers_are_circles_of_metres_in_pixels():
    classes = np.zeros((21, 21), np.uint8)
    classes[10, 10] = CLOUD
    near = buffered(classes, 5.0)
    y, x = np.mgrid[-10:11, -10:11]
    np.testing.assert_array_equal(near == BUFFERED, (np.hypot(x, y) <= 5) & (classes == 0))
    assert buffered(classes, 0) is classes


def test_sea_is_what_is_large_and_without_height_or_at_zero():
    heights = np.full((30, 30), 12.0)
    heights[:10] = 0.0
    heights[20, 20] = 0.0  # a pond at sea level
    heights[25:, 25:] = np.nan
    sea = sea_of_heights(heights, 20)
    assert sea[:10].all() and not sea[20, 20] and sea[25:, 25:].all()
    assert sea.sum() == 300 + 25
