"""Running stages on a machine or a cluster. Knows no biology.

A :class:`~axonflow.engine.stage.Stage` says what is to be computed, the journal what has been, the runner computes
the rest with dask, and the plan says beforehand what it will cost.
"""
