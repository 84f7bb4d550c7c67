"""The network between agents, seen from one of them, and the lift from one agent to a team."""

from coterie.network.lift import agent_mesh as agent_mesh
from coterie.network.lift import lift as lift
from coterie.network.lift import stack as stack
from coterie.network.lift import unstack as unstack
from coterie.network.network import AGENTS as AGENTS
from coterie.network.network import DEVICES as DEVICES
from coterie.network.network import Heard as Heard
from coterie.network.network import Network as Network
from coterie.network.network import Traffic as Traffic
from coterie.network.network import networks as networks
