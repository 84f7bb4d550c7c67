"""The mathematics of a single learner; nothing here knows that there are other agents."""
