"""The run file's section `rehearsal`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sarcube.config import Section


class RehearsalSection(Section):
    """A rehearsal: the same plan, tasks, retries and commits as in earnest, with no scene, no pixel and no physics."""

    bursts: int = Field(4, ge=0, description="places")
    dates: int = Field(3, ge=1, description="of each place")
    files: int = Field(0, ge=0, description="small files of each product")
    seconds: float = Field(0.0, ge=0, description="that each task takes")
    product: Literal["REHEARSAL", "REHEARSAL_STATIC"] = Field("REHEARSAL", description="REHEARSAL_STATIC: static only")
    link_static: bool = Field(False, description="refuse places that lack static products")
    faults: dict[str, str] = Field(
        default_factory=dict, description="by the key of a task: kill, bad, flaky, hang, ..."
    )
