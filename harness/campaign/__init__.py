"""Many trials as one: the staircase over all stages, the ablation of a stage's lessons, comparisons of results."""
