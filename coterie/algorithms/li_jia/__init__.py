"""Actor-critics of Li & Jia: off-policy, and with local critics in tables."""

from coterie.algorithms.li_jia.li_jia import LiJia as LiJia
from coterie.algorithms.li_jia.li_jia_tabular import LiJiaTabular as LiJiaTabular
from coterie.algorithms.li_jia.others_log_ratio import GossipEstimate as GossipEstimate
from coterie.algorithms.li_jia.others_log_ratio import TrackingEstimate as TrackingEstimate
