"""The maps, for programs and for the eye."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from axonflow.errors import InputError
from axonflow.kernel.files import new_file
from axonflow.results.analysis import Analysis
from axonflow.results.cells import with_bounds
from axonflow.results.export.origin import origin

__all__ = ["draw", "write_netcdf"]

PICTURES = (".png", ".svg", ".pdf")


def write_netcdf(analysis: Analysis, path: Path) -> None:
    """Write all maps with their units, coordinates and the edges of their cells.

    The file's attributes say what slide and model they are of. It is made in memory: HDF5 does not survive a full disk.
    """
    maps = with_bounds(analysis.maps).assign_attrs(origin(analysis))
    content = BytesIO()
    maps.to_netcdf(content, engine="h5netcdf")
    with new_file(path) as part:
        part.write_bytes(content.getvalue())


def draw(analysis: Analysis, path: Path) -> None:
    """Draw the figure of the maps; the file's ending decides how.

    Raises
    ------
    InputError
        If the ending is no picture's.
    """
    if path.suffix.lower() not in PICTURES:
        raise InputError(
            f"A file ending in {', '.join(PICTURES)} was expected for a figure, {path.name} came; rename --out."
        )
    from axonflow.results.figures import draw_maps
    from axonflow.results.outlines import drawn_over

    draw_maps(analysis.maps, [path], drawn_over(analysis))
