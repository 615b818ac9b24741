"""WHAT HAPPENED and what it means: journal, statistics, verdict, document, renderings."""
