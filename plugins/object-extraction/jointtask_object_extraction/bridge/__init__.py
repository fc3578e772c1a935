"""The bridge of object extraction: boxes, their crops, likelihoods and superpixel proposals."""
