"""What came back: replies that are checked, looked at, and shown."""
