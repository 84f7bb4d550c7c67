"""Many runs that differ in some options: searches, launchers, and what came of each trial."""

from coterie.sweeps.launcher import Job as Job
from coterie.sweeps.launcher import Launcher as Launcher
from coterie.sweeps.launcher import Local as Local
from coterie.sweeps.ray_cluster import Ray as Ray
from coterie.sweeps.search import Grid as Grid
from coterie.sweeps.search import Pruner as Pruner
from coterie.sweeps.search import Random as Random
from coterie.sweeps.search import Search as Search
from coterie.sweeps.slurm import Slurm as Slurm
from coterie.sweeps.space import Range as Range
from coterie.sweeps.study import TPE as TPE
from coterie.sweeps.study import Median as Median
from coterie.sweeps.trial import Trial as Trial
