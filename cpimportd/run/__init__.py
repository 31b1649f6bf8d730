"""One run from start to end: `pipeline.py` is the page to read first."""
