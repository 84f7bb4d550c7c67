"""Communication graphs: families, weight rules, spectral facts."""

from coterie.graph.families import FAMILIES as FAMILIES
from coterie.graph.families import family as family
from coterie.graph.families import graph_of as graph_of
from coterie.graph.families import read_family as read_family
from coterie.graph.graph import Graph as Graph
from coterie.graph.graph import from_adjacency as from_adjacency
from coterie.graph.graph import from_networkx as from_networkx
from coterie.graph.schedule import SCHEDULES as SCHEDULES
from coterie.graph.schedule import Extra as Extra
from coterie.graph.schedule import Intervals as Intervals
from coterie.graph.schedule import Links as Links
from coterie.graph.schedule import Periodic as Periodic
from coterie.graph.schedule import Schedule as Schedule
from coterie.graph.schedule import Static as Static
from coterie.graph.schedule import require_meeting as require_meeting
from coterie.graph.shapes import Family as Family
from coterie.graph.weights import WEIGHTS as WEIGHTS
from coterie.graph.weights import lazy as lazy
from coterie.graph.weights import max_degree as max_degree
from coterie.graph.weights import metropolis as metropolis
from coterie.graph.weights import uniform as uniform
