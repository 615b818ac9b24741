"""All that is settled before the first call."""
