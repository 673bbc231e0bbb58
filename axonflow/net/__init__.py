"""The networks: what they are, what they learn from, and what they see of a slide."""
