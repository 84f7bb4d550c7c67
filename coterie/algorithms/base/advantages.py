"""What a critic makes of an experience."""

from jaxtyping import Array, Float

from coterie.algorithms.base.algorithm import Experience
from coterie.rl.models import Critic, Memory
from coterie.rl.returns import generalised_advantage


def appraised(
    critic: Critic, experience: Experience, memory: Memory, discount: float, trace: float
) -> tuple[Float[Array, "T G"], Float[Array, "T G"]]:
    """The values of what was seen, and generalised advantages.

    memory: what the critic remembered before the first step.
    """
    view, next_view = experience.view, experience.next_view
    features = critic.body.sequence(view.judged, memory, experience.over)
    value = critic.value(features)
    following = critic.value(critic.body.after(features, next_view.judged))
    ends = experience.terminated, experience.truncated
    advantage = generalised_advantage(experience.reward, value, following, *ends, discount, trace)
    return value, advantage
