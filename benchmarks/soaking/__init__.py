"""Runs that are struck at random moments: what is run, how it is struck, and what is asked of it afterwards."""
