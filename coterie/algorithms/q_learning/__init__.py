"""Independent Q-learning: deep, and in tables."""

from coterie.algorithms.q_learning.iql import IQL as IQL
from coterie.algorithms.q_learning.iql_tabular import IQLTabular as IQLTabular
