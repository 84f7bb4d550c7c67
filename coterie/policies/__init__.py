"""Policy files, one per agent, and the policies in them: NumPy is all that they need."""

from coterie.policies.loading import load_policy as load_policy
from coterie.policies.metadata import Architecture as Architecture
from coterie.policies.metadata import PolicyMetadata as PolicyMetadata
from coterie.policies.team import Team as Team
from coterie.policies.team import load_team as load_team
from coterie.policies.trained import TrainedPolicy as TrainedPolicy
