"""Names of the rules of resampling; light, since run files are checked with them."""

from __future__ import annotations

from typing import Literal, get_args

Upsampling = Literal["nearest", "bilinear", "bicubic"]
Downsampling = Literal["first", "min", "max", "mean", "median"]
FlagDownsampling = Literal["first", "flagand", "flagor", "flagmedianand", "flagmedianor"]
UPSAMPLING: tuple[str, ...] = get_args(Upsampling)
DOWNSAMPLING: tuple[str, ...] = get_args(Downsampling)
FLAG_DOWNSAMPLING: tuple[str, ...] = get_args(FlagDownsampling)
