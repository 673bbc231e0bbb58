"""How many circles of each size are offered per mm², so that each tract gets the axons that it is to have.

What is taken is less, because room is scarce; so these numbers were found by trial (``python -m benchmarks.offers``): a
field of each tract was packed, and every number changed by what was missing, until all sizes were as stated.
"""

from __future__ import annotations

__all__ = ["OFFERS"]

OFFERS: tuple[tuple[float, ...], ...] = (
    (0.288, 3.2, 5.74, 4.68, 6.36, 30.7, 161, 564, 1190, 1860, 1980, 1400, 728, 262),  # grey matter
    (0.00603, 0.658, 10.2, 6.37, 15.3, 139, 1160, 7110, 28_800, 85_200, 165_000, 161_000, 78_400, 20_200),  # corticospinal
    (6.5, 8.44, 22.2, 207, 1010, 4450, 14_100, 39_700, 84_700, 120_000, 99_300, 46_600, 16_200, 3470),  # gracile
    (9.41, 89.7, 392, 1510, 5040, 14_300, 34_100, 64_500, 80_300, 57_400, 29_800, 9940, 2960, 551),  # cuneate
    (0.00107, 0.111, 4.48, 5.37, 15.1, 24.5, 299, 1870, 7660, 22_400, 43_700, 51_900, 36_500, 14_800),  # Lissauer
    (256, 808, 2550, 7020, 18_100, 41_000, 69_400, 69_100, 43_500, 19_800, 6710, 1970, 520, 191),  # dorsal spinocerebellar
    (249, 746, 2150, 5910, 13_600, 29_300, 47_300, 53_600, 38_700, 22_000, 8850, 3600, 1110, 265),  # ventral spinocerebellar
    (10, 106, 451, 1660, 5260, 14_400, 32_200, 56_200, 63_400, 42_000, 21_800, 7240, 2270, 336),  # rubrospinal
    (470, 1210, 3330, 8080, 18_300, 32_300, 43_100, 37_900, 24_200, 12_100, 5660, 1720, 693, 190),  # spinothalamic
    (553, 1360, 3870, 8700, 19_800, 32_400, 40_100, 32_700, 17_800, 8790, 4160, 1220, 470, 145),  # vestibulospinal
    (253, 716, 1910, 5200, 11_400, 24_200, 39_400, 50_100, 42_100, 26_700, 13_400, 6250, 2620, 740),  # medial longitudinal
    (347, 915, 2630, 6410, 14_400, 27_200, 40_100, 40_800, 28_600, 16_800, 7040, 2870, 1030, 290),  # reticulospinal
    (7.5, 67.9, 298, 1000, 3270, 9410, 20_900, 40_600, 58_300, 57_900, 42_400, 22_300, 9380, 2990),  # lateral propriospinal
)
"""Rows are grey matter and the tracts, in their order; columns the sizes, the largest first."""
