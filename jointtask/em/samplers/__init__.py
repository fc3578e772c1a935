"""The built-in samplers: one file, one function ``sample(target, random, ...) -> Draws``."""
