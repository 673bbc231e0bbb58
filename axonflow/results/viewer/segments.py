"""The list of axons beside the slide: what of the table the page gets, to be searched, sorted and shown at a click.

Source of the format: neuroglancer's segment properties,
https://github.com/google/neuroglancer/blob/master/src/datasource/precomputed/segment_properties.md
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from axonflow.fiber.kinds import KIND, UNMYELINATED
from axonflow.fiber.probability import PROBABILITY
from axonflow.fiber.rules import LEFT_OUT, RULES

__all__ = ["COLUMNS", "LARGEST_LIST", "LISTED", "LISTED_OF_NETWORK", "QUERY", "listed_axons", "segment_properties"]

LARGEST_LIST = 2_000_000
"""Of more axons than these, the thickest are listed. So many stand on the page 8 s after it is opened, a million 5 s,
on two cores without a GPU."""


@dataclass(frozen=True, slots=True)
class ListColumn:
    """A column of the list.

    Attributes
    ----------
    name : str
        By which it is searched and sorted.
    column : str
        Of the table.
    meaning : str
    decimals : int
        To which it is rounded.
    """

    name: str
    column: str
    meaning: str
    decimals: int


LISTED = (
    ListColumn("diameter_um", "axon_diam (um)", "Axon diameter, µm", 3),
    ListColumn("gratio", "gratio", "g-ratio: axon diameter / fiber diameter; 1 without myelin", 3),
    ListColumn("area_um2", "axon_area (um^2)", "Axon area, µm²", 3),
    ListColumn("myelin_um", "myelin_thickness (um)", "Myelin thickness, µm", 3),
    ListColumn("y_um", "y0 (um)", "Centroid's distance from the slide's top, µm", 1),
    ListColumn("x_um", "x0 (um)", "Centroid's distance from the slide's left side, µm", 1),
)
"""The columns, in the order a row shows them."""

LISTED_OF_NETWORK = ListColumn("probability", PROBABILITY.name, "Mean probability of its class, by the network", 3)
"""One that follows them if the table has it."""

BORDER, BARE = "border", "bare"
"""Tags: axons whose fiber touches the slide's border, and axons without myelin."""

_WITHOUT = {"gratio": 1.0, "myelin_thickness (um)": 0.0}
"""What the list says of an axon without myelin, as it knows no missing number."""

COLUMNS = "|diameter_um |gratio"
"""The columns of the list, as they are asked for; the page keeps them when something else is typed."""

QUERY = f">diameter_um {COLUMNS}"
"""What the list shows at the start: the thickest first, with two columns."""


def listed_axons(table: pd.DataFrame, largest: int = LARGEST_LIST) -> pd.DataFrame:
    """Return the rows that the list holds: all, or the thickest if there are more than ``largest``; ids increasing."""
    if len(table) <= largest:
        return table
    return table.nlargest(largest, "axon_diam (um)").sort_values("axon_id")


def segment_properties(table: pd.DataFrame) -> bytes:
    """Write rows of the table of axons as neuroglancer reads them.

    Parameters
    ----------
    table : DataFrame
        With the columns of :data:`LISTED`, and perhaps that of :data:`LISTED_OF_NETWORK`, one row per axon.

    Returns
    -------
    bytes
        JSON.
    """
    bare = table["myelin_area (um^2)"].to_numpy() == 0
    border = table["image_border_touching"].to_numpy(bool)
    tagged = [(BORDER, "fiber touches the slide's border", border), (BARE, "axon without myelin", bare)]
    if LEFT_OUT.name in table:
        of_rules = {rule: (table[LEFT_OUT.name] == rule).to_numpy() for rule in RULES}
        tagged += [
            (f"left_out_{rule}", f"axon that does not count, by the rule {rule}", there)
            for rule, there in of_rules.items()
            if there.any()
        ]
    if KIND.name in table:
        without = (table[KIND.name] == UNMYELINATED).to_numpy()
        tagged.append((UNMYELINATED, "axon of the class without myelin", without))
        table = table.fillna(_WITHOUT)
    sets = ["[" + ",".join(str(i) for i in range(len(tagged)) if k >> i & 1) + "]" for k in range(2 ** len(tagged))]
    kinds = np.array(sets)[np.sum([has.astype(int) << i for i, (_, _, has) in enumerate(tagged)], axis=0)]
    properties: list[dict[str, Any]] = [
        {
            "id": listed.name,
            "type": "number",
            "data_type": "float32",
            "description": listed.meaning,
            "values": table[listed.column].round(listed.decimals).tolist(),
        }
        for listed in (*LISTED, *([LISTED_OF_NETWORK] if LISTED_OF_NETWORK.column in table else []))
    ]
    tags = {
        "id": "tags",
        "type": "tags",
        "tags": [tag for tag, _, _ in tagged],
        "tag_descriptions": [said for _, said, _ in tagged],
    }
    # Written by hand around what json writes: a million short lists would be a million objects.
    written = ",".join(json.dumps(each, separators=(",", ":")) for each in properties)
    ids = '","'.join(map(str, table["axon_id"].tolist()))
    return (
        '{"@type":"neuroglancer_segment_properties","inline":{"ids":['
        + (f'"{ids}"' if len(table) else "")
        + f'],"properties":[{written},{json.dumps(tags)[:-1]},"values":[{",".join(kinds.tolist())}]}}]}}}}'
    ).encode()
