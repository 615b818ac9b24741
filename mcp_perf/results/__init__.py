"""What came out: records, numbers, verdicts, reports."""
