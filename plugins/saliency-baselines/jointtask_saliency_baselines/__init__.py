"""Classical rivals of joint-task object extraction, each a predictor of its own."""
