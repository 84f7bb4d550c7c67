"""Li & Jia's Algorithm 1 as one would write it down in NumPy: the reference, and the yardstick."""

from typing import NamedTuple

import numpy as np


class Chances(NamedTuple):
    """The random numbers of `T` steps, all in [0, 1): actions, next states, the a' of eq. 7."""

    act: np.ndarray  # [T, N]
    world: np.ndarray  # [T]
    follow: np.ndarray  # [T, N]


class Outcome(NamedTuple):
    """The tables of all agents after the last step, and what was played before."""

    critic: np.ndarray  # [N, M, A]
    preference: np.ndarray  # [N, M, A]
    visits: np.ndarray  # [N, M, A]
    states: np.ndarray  # [T + 1]
    actions: np.ndarray  # [T, N]


def pick(probabilities, chance):
    """The first outcome at which the sum of the probabilities passes a random number."""
    sums = np.cumsum(probabilities)
    return int(np.argmax(sums > chance * sums[-1]))


def softmax(preferences):
    weights = np.exp(preferences - preferences.max())
    return weights / weights.sum()


def algorithm_1(method, transition, reward, chances, first=0):
    """Play and learn; `transition[s, a_1, ..., a_N]` is a row of probabilities, `reward` a number.

    method: a `LiJiaTabular`, for its numbers.
    """
    agents, states, actions = transition.ndim - 2, transition.shape[0], transition.shape[1]
    critic, preference, visits = np.zeros((3, agents, states, actions))
    state, path, played = first, [first], []
    for t in range(len(chances.world)):
        policies = [softmax(preference[i, state]) for i in range(agents)]
        joint = tuple(pick(policies[i], chances.act[t, i]) for i in range(agents))
        following = pick(transition[(state, *joint)], chances.world[t])
        paid = reward[(state, *joint)]
        for i in range(agents):
            a, before = joint[i], critic[i, state].copy()
            alpha = method.critic_lr / (1 + visits[i, state, a]) ** method.critic_lr_decay
            beta = method.actor_lr / (1 + visits[i, state].sum()) ** method.actor_lr_decay
            then = pick(softmax(preference[i, following]), chances.follow[t, i])
            target = paid + method.discount * critic[i, following, then]
            critic[i, state, a] += alpha * (target - before[a])
            if method.update == "simultaneous" or (t // method.period) % agents == i:
                slope = policies[i] * (before - policies[i] @ before)
                preference[i, state] = np.clip(
                    preference[i, state] + beta * slope,
                    method.logit_min,
                    method.logit_max,
                )
            visits[i, state, a] += 1
        state = following
        path.append(state)
        played.append(joint)
    return Outcome(critic, preference, visits, np.array(path), np.array(played))
