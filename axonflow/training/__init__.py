"""From labelled images to a model, its scores and its card."""
