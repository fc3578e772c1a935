"""TensorBoard as an observer of runs."""
