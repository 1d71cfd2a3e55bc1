"""The benchmark: get_feed beside its baselines in one run, and what else has a goal."""
