"""Two armies on a grid: the battle of MAgent."""

from coterie.envs.battle.battle import Battle as Battle
