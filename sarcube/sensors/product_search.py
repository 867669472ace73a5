"""What searches of sensors share whose products are folders or zips: where these lie, and what a search found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from sarcube.errors import SourceError
from sarcube.transfer.folder import walk
from sarcube.transfer.problem import Problem

T = TypeVar("T")
_MOST = 200_000  # folders and files looked at
_PRODUCTS = (".SAFE", ".SEN3")  # folders that are not entered


@dataclass(frozen=True)
class ProductSearch(Generic[T]):
    """What a search found.

    Attributes
    ----------
    found : tuple
    problems, remarks : tuple of Problem
        What cannot be used, and what was passed over.
    explanation : str
        Why there is nothing, where there is nothing.
    """

    found: tuple[T, ...]
    problems: tuple[Problem, ...] = ()
    remarks: tuple[Problem, ...] = ()
    explanation: str = ""


def source_folder(path: str | Path | None) -> Path:
    """`source.path` on this machine; SourceError where there is nothing."""
    root = Path(str(path)).expanduser().resolve()
    if not root.exists():
        raise SourceError(f"source.path {root} does not exist; name the folder of the products")
    return root


def products_in(root: Path, product_of: Callable[[str], str | None]) -> list[Path]:
    """Folders and zips of products at and below a folder; a folder wins over the zip beside it.

    Parameters
    ----------
    root : Path
        May be a product itself.
    product_of : callable
        The product's name in the name of a folder or file, with its endings; None where it is no product.

    Raises
    ------
    SourceError
        There are too many files to be a folder of products.
    """
    if root.is_file() or product_of(root.name) is not None:
        return [root]
    found: dict[str, Path] = {}
    seen = 0
    for folder, folders, files in walk(root):
        seen += len(folders) + len(files)
        if seen > _MOST:
            raise SourceError(f"{root} holds more than {_MOST} files; name the folder of the products")
        for name in files:
            if name.endswith(".zip") and (product := product_of(name)) is not None:
                found.setdefault(product, folder / name)
        for name in folders:
            if (product := product_of(name)) is not None:
                found[product] = folder / name
        folders[:] = [n for n in folders if product_of(n) is None and not n.endswith(_PRODUCTS)]
    return [found[name] for name in sorted(found)]
