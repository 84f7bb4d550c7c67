"""A logger of one's own: a line of JSON for each evaluation, in the run's folder.

    coterie train dpo spread --steps 500000 --loggers csv examples.own_logger:JsonLines

A logger is any class with the three methods `start`, `log` and `finish`; it needs no base. From
Python it is given as a value, with options of its own:

    coterie.train("dpo", "spread", loggers=[JsonLines(file="evaluations.jsonl")])
"""

import json

import coterie
from coterie.training.checkpoint import kept_steps


class JsonLines:
    """One file for all seeds; a run that is resumed forgets the rows after its checkpoints."""

    def __init__(self, file: str = "evaluation.jsonl"):
        self.file = file

    def start(self, run: coterie.Run) -> None:
        """Write the hyper-parameters, or keep what is still true of the file."""
        self.path = run.folder / self.file
        if not self.path.exists():
            self._write(run.describe())
            return
        first, *lines = self.path.read_text().splitlines(keepends=True)
        kept = {seed: kept_steps(run, seed) for seed in run.seeds}
        told = [(json.loads(line), line) for line in lines]
        true = [line for row, line in told if row["steps"] <= kept[row["seed"]]]
        self.path.write_text("".join([first, *true]))

    def log(self, kind: str, seed: int, steps: int, row: dict[str, float]) -> None:
        """Add a line."""
        if kind == "evaluation":
            self._write({"seed": seed, "steps": steps, "episode_return": row["episode_return"]})

    def finish(self) -> None:
        """Every line is written already."""

    def _write(self, value: dict) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(value) + "\n")
