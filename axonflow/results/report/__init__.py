"""What a person reads of a result: one HTML file that opens anywhere, and its figures at print size.

::

    slide      a store → STORE/report.html and STORE/figures/
    slides     a batch → DIR/report.html and the figures that compare its slides
    animals    animals and groups of a batch → its part of that report
    drawing    which figures a store has, and what each of them shows
    beside     a second process that draws some of them
    trust      how far to believe the numbers, and what was left out
    origin     what made them
    words      numbers as they are read
    page       figures and words → one file
"""

from axonflow.results.report.animals import forget_animals
from axonflow.results.report.slide import keep_report, write_report
from axonflow.results.report.slides import FIGURES, write_batch_report, write_comparison

__all__ = ["FIGURES", "forget_animals", "keep_report", "write_batch_report", "write_comparison", "write_report"]
