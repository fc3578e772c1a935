"""MLflow as an observer of runs."""
