"""As much of `osgeo` as MintPy's `prep_hyp3` reads of a raster, by rasterio: GDAL's own bindings have no wheel."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import rasterio
from rasterio.crs import CRS

# GDALDataType of gdal.h.
_TYPES = {"uint8": 1, "uint16": 2, "int16": 3, "uint32": 4, "int32": 5, "float32": 6, "float64": 7, "complex64": 10}


class _Dataset:
    def __init__(self, path: str) -> None:
        with rasterio.open(path) as file:
            self.RasterXSize, self.RasterYSize, self.RasterCount = file.width, file.height, file.count
            self._place, self._crs = file.transform.to_gdal(), file.crs
            self._band = SimpleNamespace(DataType=_TYPES[file.dtypes[0]], GetNoDataValue=lambda: nodata)
            nodata, self._tags = file.nodata, {"INTERLEAVE": file.interleaving.name.upper()}

    def GetRasterBand(self, _: int) -> Any:  # noqa: N802
        return self._band

    def GetMetadata(self, _: str) -> dict[str, str]:  # noqa: N802
        return self._tags

    def GetGeoTransform(self) -> tuple[float, ...]:  # noqa: N802
        return tuple(self._place)

    def GetProjection(self) -> str:  # noqa: N802
        return str(self._crs.to_wkt())


class _Reference:
    def __init__(self, wkt: str) -> None:
        self._crs = CRS.from_wkt(wkt)

    def GetAttrValue(self, name: str, index: int) -> str:  # noqa: N802
        assert (name, index) == ("AUTHORITY", 1)
        return str(self._crs.to_epsg())

    def GetName(self) -> str:  # noqa: N802
        return str(self._crs.to_wkt().split('"')[1])


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put it where `from osgeo import gdal, osr` finds it, unless GDAL's own bindings are there."""
    try:
        import osgeo  # noqa: F401
    except ImportError:
        package = ModuleType("osgeo")
        package.gdal = SimpleNamespace(  # type: ignore[attr-defined]
            Open=lambda path, _: _Dataset(path), GA_ReadOnly=0, UseExceptions=lambda: None
        )
        package.osr = SimpleNamespace(SpatialReference=_Reference)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "osgeo", package)
