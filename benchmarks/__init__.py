"""What axonflow costs, beside its peers and the machine's limits: a script for each question.

``python -m benchmarks.NAME --help`` says what it asks. The JSON of what was measured goes to ``benchmarks/results``;
``python -m benchmarks.page`` makes ``docs/explanation/performance.md`` of it.
"""
