"""What everything stands on: numpy and the standard library alone."""
