"""Any MongoDB, asked through one tool; by default one that is embedded."""
