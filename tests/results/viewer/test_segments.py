"""The list of axons against the table."""

import json

import numpy as np
import pandas as pd

from axonflow.fiber.table import COLUMNS
from axonflow.results.viewer.segments import LISTED, listed_axons, segment_properties


def made_up(count: int) -> pd.DataFrame:
    random = np.random.default_rng(5)
    table = pd.DataFrame({column.name: random.uniform(0, 9, count) for column in COLUMNS})
    table["axon_id"] = np.arange(1, count + 1) * 3
    table["image_border_touching"] = random.random(count) < 0.3
    table.loc[random.random(count) < 0.3, "myelin_area (um^2)"] = 0.0
    return table


def test_every_row_says_what_the_table_does() -> None:
    table = made_up(200)
    made = json.loads(segment_properties(table))
    assert made["@type"] == "neuroglancer_segment_properties"
    assert made["inline"]["ids"] == [str(axon) for axon in table["axon_id"]]
    *numbers, tags = made["inline"]["properties"]
    for listed, found in zip(LISTED, numbers, strict=True):
        assert found["id"] == listed.name
        np.testing.assert_allclose(found["values"], table[listed.column], atol=0.51 * 10**-listed.decimals)
    border, bare = ([tag in values for values in tags["values"]] for tag in (0, 1))
    assert border == table["image_border_touching"].tolist()
    assert bare == (table["myelin_area (um^2)"] == 0).tolist()


def test_no_axons_make_an_empty_list() -> None:
    inline = json.loads(segment_properties(made_up(0)))["inline"]
    assert inline["ids"] == []
    assert all(each["values"] == [] for each in inline["properties"])


def test_a_long_list_is_thinned_to_the_thickest() -> None:
    table = made_up(50)
    listed = listed_axons(table, 20)
    assert len(listed) == 20
    assert listed["axon_id"].is_monotonic_increasing
    left_out = table[~table["axon_id"].isin(listed["axon_id"])]
    assert listed["axon_diam (um)"].min() >= left_out["axon_diam (um)"].max()
    assert listed_axons(table, 50) is table
