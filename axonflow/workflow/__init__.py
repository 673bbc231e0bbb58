"""From settings to a finished store."""
