"""Three agents learn to share three landmarks among them, without a centre and without a word.

Each has its own policy, critic, optimiser and random stream; each sees only its own observation
and its own reward. About a minute on two cores.
"""

import time

import coterie
from coterie.internal.jax_config import prepare

prepare()
folder = f"runs/demo-{time.strftime('%Y%m%d-%H%M%S')}"
algorithm = coterie.DPO(rollout_length=25, actor_lr=1e-3, critic_lr=1e-3)
run = coterie.train(algorithm, coterie.Spread(agents=3), coterie.Settings(steps=1_500_000), folder)
pictures = coterie.watch(run.folder)
scores = coterie.evaluate(run.folder)[0]

print(f"return {scores.returns.mean():.2f} (a random team: about -22)")
print(f"learning curve  {run.folder}/plots/return.png")
print(f"the team        {pictures[0]}")
print(f"policies        {run.seed_folder(0)}/policies/  one file per agent")
