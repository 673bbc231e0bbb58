"""Slides → animals → groups: the tables that compare animals.

::

    pooling    slides, or tracts of them, of one animal → its numbers
    calibre    the same by the diameter of the axons
    effects    values of animals → means of groups, and how far they lie apart
    columns    what these tables hold
    tables     a batch → all of these as tables
    files      these tables as CSV, Parquet and a workbook
"""

from axonflow.results.cohort.files import WORKBOOK, write_tables
from axonflow.results.cohort.tables import MOST_GROUPS, Cohort, gather

__all__ = ["MOST_GROUPS", "WORKBOOK", "Cohort", "gather", "write_tables"]
