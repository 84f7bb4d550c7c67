"""Proximal policy optimisation: IPPO, and DPO of Su & Lu."""

from coterie.algorithms.ppo.dpo import DPO as DPO
from coterie.algorithms.ppo.ippo import IPPO as IPPO
