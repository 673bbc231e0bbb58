"""The networks at work: what they are, how they are kept, and what they see of a slide."""
