"""Layers of a filtered and unwrapped interferogram, as a kind's products and views of cubes have them alike."""

from __future__ import annotations

import math

from sarcube.products.kinds import Layer, MaskClass, Shown, mask_layer

PHASE = Shown(-math.pi, math.pi, "twilight", cyclic=True)
WATER, LAND, NOT_TOLD = 0, 1, 255
NOT_SEEN = 65535  # of components; 0 is seen and of none
FILTERED = Layer("filtered_phase", "Phase of the filtered interferogram", unit="rad", merge="first", shown=PHASE)
UNWRAPPED = Layer(
    "unwrapped_phase", "Phase of the interferogram, unwrapped; positive away from the sensor", unit="rad",
    merge="first", shown=Shown(colours="viridis"),
)  # fmt: skip
COMPONENTS = Layer(
    "connected_components", "Pixels of one number are right relative to each other, the largest is 1; 0: of none",
    "uint16", float(NOT_SEEN), role="auxiliary", merge="first", overview="nearest",
)  # fmt: skip
WATER_MASK = mask_layer(
    "water_mask", "Water and land",
    (
        MaskClass(WATER, "water", "water", (65, 131, 196, 255), rank=1),
        MaskClass(LAND, "land", "land"),
        MaskClass(NOT_TOLD, "unknown", "no mask of water told", rank=2),
    ),
    NOT_TOLD,
)  # fmt: skip
