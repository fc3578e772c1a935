"""The run file: its tables as frozen records, read strictly, with overrides."""
