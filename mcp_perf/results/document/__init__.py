"""The document, `report.json`: the one input of every rendering."""
