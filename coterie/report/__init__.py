"""Reports of runs: learning curves, their statistics, verdicts, tables and pictures.

The package does not depend on training: it works on `Curve`s (one number per seed and evaluation)
and on the `Scene`s of an environment. Pictures are drawn by `report.plot` and `report.render`,
which load matplotlib.
"""

from coterie.report.compare import Comparison as Comparison
from coterie.report.compare import ends_above as ends_above
from coterie.report.compare import faster as faster
from coterie.report.compare import level as level
from coterie.report.curve import Curve as Curve
from coterie.report.curve import gather as gather
from coterie.report.statistics import Band as Band
from coterie.report.statistics import Interval as Interval
from coterie.report.statistics import band as band
from coterie.report.statistics import interquartile_mean as interquartile_mean
from coterie.report.statistics import interval as interval
from coterie.report.statistics import probability_of_improvement as probability_of_improvement
from coterie.report.statistics import steps_to as steps_to
from coterie.report.table import Row as Row
from coterie.report.table import summary_table as summary_table
from coterie.report.table import to_csv as to_csv
from coterie.report.table import to_markdown as to_markdown
from coterie.report.table import to_rich as to_rich
