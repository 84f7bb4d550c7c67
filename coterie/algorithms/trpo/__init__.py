"""Trust regions: independent TRPO, and MATRPO of Li & He."""

from coterie.algorithms.trpo.consensus_admm import FullRatios as FullRatios
from coterie.algorithms.trpo.consensus_admm import RatioExchange as RatioExchange
from coterie.algorithms.trpo.direction_coefficients import (
    DirectionCoefficients as DirectionCoefficients,
)
from coterie.algorithms.trpo.itrpo import ITRPO as ITRPO
from coterie.algorithms.trpo.matrpo import MATRPO as MATRPO
