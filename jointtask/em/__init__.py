"""The method: the EM loop with its E-step, M-step, samplers and proposal terms, and prediction."""
