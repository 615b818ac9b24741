"""Values: units, templates, generators, tables, lookups."""
