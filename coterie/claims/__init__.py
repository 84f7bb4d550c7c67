"""The papers' figures as runnable experiments, and verdicts on what they are said to show."""
