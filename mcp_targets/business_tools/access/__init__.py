"""Who may ask, from where, and what is written down about it."""
