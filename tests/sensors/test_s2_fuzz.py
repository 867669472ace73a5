"""Damaged Sentinel-2 metadata, masks and images: a typed error or an answer, quickly."""

import random

import pytest

from sarcube.errors import SarcubeError
from sarcube.sensors.sentinel2.clouds import l1c_clouds
from sarcube.sensors.sentinel2.images import read_image
from sarcube.sensors.sentinel2.scene import open_scene
from tests.bounded import within
from tests.sensors.s2_scenes import product

CASES = {"MTD_MSIL1C.xml": 500, "MTD_TL.xml": 500, "MSK_CLOUDS_B00.gml": 400, "_B12.jp2": 600}
LIMIT_SECONDS = 2.0


def damaged(data, rng):
    """Cut, flip, repeat, remove or exchange."""
    how = rng.randrange(5)
    at = rng.randrange(len(data))
    if how == 0:
        return data[:at]
    if how == 1:
        changed = bytearray(data)
        for _ in range(rng.randrange(1, 12)):
            changed[rng.randrange(len(data))] = rng.randrange(256)
        return bytes(changed)
    until = min(at + rng.randrange(1, 200), len(data))
    if how == 2:
        return data[:until] + data[at:]
    if how == 3:
        return data[:at] + data[until:]
    words = [b"9" * 30, b"-1", b"nan", b"1e400", b"", b"<a/>", b"\x00\xff", b"&lol;"]
    return data[:at] + rng.choice(words) + data[at + rng.randrange(0, 8) :]


@pytest.mark.parametrize("member", CASES)
def test_whatever_is_damaged_ends_in_a_typed_error_or_an_answer(tmp_path, member):
    path = product(tmp_path, ("B12",), level="L1C", baseline="03.00", clouds={"opaque": _some_clouds()})
    (file,) = (f for f in path.rglob("*") if f.name.endswith(member))
    whole, failed = file.read_bytes(), set()
    for case in range(CASES[member]):
        file.write_bytes(damaged(whole, random.Random(case)))

        def once(case: int = case) -> None:
            try:
                scene = open_scene(path)
                if member.endswith("gml"):
                    l1c_clouds(scene)
                if member.endswith("jp2"):
                    read_image(scene, "B12", 20)
            except SarcubeError as error:
                failed.add(case)
                assert str(path) in str(error)

        within(LIMIT_SECONDS, once)
    assert len(failed) > CASES[member] // 10


def _some_clouds():
    import numpy as np

    mask = np.zeros((50, 50), bool)
    mask[3:20, 5:30] = True
    mask[40, 40:44] = True
    return mask
