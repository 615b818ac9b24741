"""Any MongoDB, queried through one tool; by default an embedded one."""
