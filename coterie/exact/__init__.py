"""Exact mathematics of finite games, in float64: what algorithms only estimate.

Everything starts from a game's `Tables` and a product policy, one array `[M, A_i]` per agent.
"""

from coterie.exact.bounds import improvement_bound as improvement_bound
from coterie.exact.bounds import lemma_bound as lemma_bound
from coterie.exact.bounds import surrogate as surrogate
from coterie.exact.bounds import tight_improvement_bound as tight_improvement_bound
from coterie.exact.bounds import tight_lemma_bound as tight_lemma_bound
from coterie.exact.bounds import trpo_bound as trpo_bound
from coterie.exact.constants import Constants as Constants
from coterie.exact.constants import paper_constants as paper_constants
from coterie.exact.constants import second_order_constants as second_order_constants
from coterie.exact.constants import spans as spans
from coterie.exact.constants import tightened_constants as tightened_constants
from coterie.exact.distances import divergence as divergence
from coterie.exact.distances import total_variation as total_variation
from coterie.exact.dpo import best_step as best_step
from coterie.exact.dpo import exact_dpo as exact_dpo
from coterie.exact.dpo import step_together as step_together
from coterie.exact.dpo import verified_constants as verified_constants
from coterie.exact.evaluation import Evaluation as Evaluation
from coterie.exact.evaluation import evaluate as evaluate
from coterie.exact.improvement import cyclic_improvement as cyclic_improvement
from coterie.exact.improvement import respond as respond
from coterie.exact.improvement import respond_together as respond_together
from coterie.exact.objectives import individual_objective as individual_objective
from coterie.exact.objectives import joint_objective as joint_objective
from coterie.exact.planning import Optimum as Optimum
from coterie.exact.planning import optimum as optimum
from coterie.exact.policies import joint as joint
from coterie.exact.policies import marginal as marginal
from coterie.exact.policies import uniform as uniform
