"""The columns of the tables of animals, and the measures by which groups are compared."""

from __future__ import annotations

from axonflow.fiber.columns import Column
from axonflow.results.batch_table import COLUMNS, SUBJECT_COLUMNS
from axonflow.results.cohort.calibre import CALIBRE_COLUMNS
from axonflow.results.cohort.pooling import POOLED, POOLED_UNMYELINATED

__all__ = [
    "ANIMAL",
    "CALIBRE",
    "EXCLUDED",
    "FAILED",
    "GROUP",
    "LEFT_OUT",
    "MEASURE",
    "MEASURES",
    "MEASURES_BY_CALIBRE",
    "OF_EFFECTS",
    "OF_GROUPS",
    "PAIR",
    "REGION",
    "SLIDES",
    "TAKEN",
    "TRACT",
]

MEASURES = (
    "axon_density (mm^-2)",
    "axon_diam_mean (um)",
    "axon_diam_p50 (um)",
    "gratio_aggregate",
    "gratio_mean",
    "myelin_thickness_mean (um)",
    "avf",
    "mvf",
    "unmyelinated_density (mm^-2)",
    "myelinated_fraction",
)
"""The numbers of animals by which groups are compared; the last two if any slide has unmyelinated axons."""

MEASURES_BY_CALIBRE = ("axon_share", "axon_density (mm^-2)", "gratio_mean", "myelin_thickness_mean (um)")

ANIMAL = Column("animal", "", "its name, as it was listed", "str")
GROUP = Column("group", "", "its group, as it was listed; all without groups", "str")
REGION = Column("region", "", "the part of the animal that slides show, as it was listed; all of them", "str")
TRACT = Column("tract", "", "the outline, of --regions; all of the slides", "str")
CALIBRE = Column("calibre", "um", "axon diameter from, and to less than; all axons", "str")
SLIDES = Column("slides", "1", "slides that count", "int64")
FAILED = Column("slides_failed", "1", "slides that have failed, and count nowhere", "int64")
EXCLUDED = Column("slides_excluded", "1", "slides that the list excludes, and that count nowhere", "int64")
LEFT_OUT = Column("left_out", "", "which slides do not count, and why", "str")
MEASURE = (
    Column("measure", "", "the number of an animal that is compared: its column in the other tables", "str"),
    Column("unit", "", "of the measure", "str"),
)

OF_GROUPS = (
    Column("animals", "1", "animals with a value, n of the statistics", "int64"),
    Column("animals_without", "1", "animals of the group without a value", "int64"),
    Column("without", "", "which these are", "str"),
    SLIDES,
    Column("axon_count", "1", "axons of all these animals; no n of anything", "int64"),
    Column("mean", "", "mean of the animals, each counting once"),
    Column("std", "", "standard deviation between animals, divided by n − 1"),
    Column("min", "", "least value of an animal"),
    Column("p50", "", "median of the animals"),
    Column("max", "", "greatest value of an animal"),
)

PAIR = (
    Column("group_a", "", "the group that is compared with", "str"),
    Column("group_b", "", "the group that is compared", "str"),
)
OF_EFFECTS = (
    Column("animals_a", "1", "animals of group a with a value", "int64"),
    Column("animals_b", "1", "animals of group b with a value", "int64"),
    Column("mean_a", "", "mean of the animals of group a"),
    Column("mean_b", "", "mean of the animals of group b"),
    Column("difference", "", "mean of b less mean of a, in the unit of the measure"),
    Column("difference_low", "", "lower end of its 95 % interval, drawn over animals"),
    Column("difference_high", "", "upper end"),
    Column("hedges_g", "1", "difference in pooled standard deviations, without the bias of small groups"),
    Column("hedges_g_low", "1", "lower end of its 95 % interval, drawn over animals"),
    Column("hedges_g_high", "1", "upper end"),
    Column("note", "", "why there is no interval, or how far to trust it", "str"),
)

TAKEN = frozenset(
    column.name
    for column in (
        *(
            *COLUMNS,
            *SUBJECT_COLUMNS,
            *POOLED,
            *POOLED_UNMYELINATED,
            *CALIBRE_COLUMNS,
            *OF_GROUPS,
            *PAIR,
            *OF_EFFECTS,
        ),
        *(ANIMAL, GROUP, REGION, TRACT, CALIBRE, SLIDES, FAILED, EXCLUDED, LEFT_OUT, *MEASURE),
    )
)
"""Names that no further column of a manifest may have."""
