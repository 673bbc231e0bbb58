"""A finished store, opened: as values, figures, pages, files and in the browser."""
