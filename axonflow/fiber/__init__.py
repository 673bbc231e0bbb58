"""Axons, their myelin, and what is measured of them: exact whatever the chunking."""
