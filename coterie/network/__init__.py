"""The network between agents, seen from one of them, and the lift from one agent to a team."""

from coterie.network.channels import CHANNELS as CHANNELS
from coterie.network.channels import Channel as Channel
from coterie.network.channels import Delay as Delay
from coterie.network.channels import Loss as Loss
from coterie.network.channels import Noise as Noise
from coterie.network.channels import Partition as Partition
from coterie.network.channels import Quantise as Quantise
from coterie.network.channels import Silence as Silence
from coterie.network.lift import agent_mesh as agent_mesh
from coterie.network.lift import few_at_a_time as few_at_a_time
from coterie.network.lift import joined as joined
from coterie.network.lift import lift as lift
from coterie.network.lift import stack as stack
from coterie.network.lift import unstack as unstack
from coterie.network.network import AGENTS as AGENTS
from coterie.network.network import DEVICES as DEVICES
from coterie.network.network import Heard as Heard
from coterie.network.network import Network as Network
from coterie.network.network import Traffic as Traffic
from coterie.network.network import like as like
from coterie.network.network import networks as networks
