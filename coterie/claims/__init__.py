"""The papers' figures as runnable experiments, and verdicts on the papers' statements."""
