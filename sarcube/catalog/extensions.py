"""The STAC extensions that items use, each in one version: a new version is changed here, for all workflows."""

from __future__ import annotations

_BASE = "https://stac-extensions.github.io"
# Projection 2.0 refuses `proj:epsg`, without which stackstac makes no grid or a wrong one. 1.2 is the version
# that allows both that field and `proj:code`; pystac reads it as 2.0.
PROJECTION = f"{_BASE}/projection/v1.2.0/schema.json"
PROJECTION_2 = f"{_BASE}/projection/v2.0.0/schema.json"
RASTER = f"{_BASE}/raster/v2.0.0/schema.json"
FILE = f"{_BASE}/file/v2.1.0/schema.json"
CLASSIFICATION = f"{_BASE}/classification/v1.1.0/schema.json"
STORAGE = f"{_BASE}/storage/v1.0.0/schema.json"
RENDER = f"{_BASE}/render/v2.0.0/schema.json"
PROCESSING = f"{_BASE}/processing/v1.2.0/schema.json"
PRODUCT = f"{_BASE}/product/v1.0.0/schema.json"
VIEW = f"{_BASE}/view/v1.1.0/schema.json"
SAT = f"{_BASE}/sat/v1.2.0/schema.json"
SAR = f"{_BASE}/sar/v1.3.0/schema.json"
EO = f"{_BASE}/eo/v2.0.0/schema.json"
SENTINEL1 = f"{_BASE}/sentinel-1/v1.0.0/schema.json"
INSAR = f"{_BASE}/insar/v1.0.0/schema.json"
CEOS_ARD = f"{_BASE}/ceos-ard/v0.2.0/schema.json"
