"""Generated scenes of one object each: the data set `synthetic-objects`, which needs no download."""
