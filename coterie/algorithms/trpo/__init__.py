"""Trust regions: independent TRPO, and MATRPO of Li & He."""

from coterie.algorithms.trpo.itrpo import ITRPO as ITRPO
from coterie.algorithms.trpo.matrpo import MATRPO as MATRPO
