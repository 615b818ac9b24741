"""The journal: what a run writes down."""
