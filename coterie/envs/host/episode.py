"""One copy of an environment, playing episode after episode and writing what happens into its
record."""

from typing import Any, NoReturn

import numpy as np

from coterie.encoding import MASK, Numbers, encoded
from coterie.envs.host.factory import close
from coterie.envs.host.layout import Layout, mask_of, number_in
from coterie.errors import EnvError


class Copy:
    """A `ParallelEnv` between the arrays of its record.

    env:     the environment.
    layout:  the sizes of the agents' observations and actions.
    records: the records of all copies (`layout.record`), of which number `row` is this one's.
    again:   True if the next episode begins as soon as no agent is left.

    An agent that has left perceives zeros and earns 0, whatever the environment still pays it; it
    is `terminated` and not `present`.
    """

    def __init__(self, env: Any, layout: Layout, records: np.ndarray, row: int, again: bool = True):
        self.env = env
        self.layout = layout
        self.again = again
        self.agents = tuple(env.possible_agents)
        self.sizes = layout.actions
        self.own = np.arange(max(self.sizes)) < np.array(self.sizes)[:, None]
        self.alive: set[Any] = set()
        self.records = records[row : row + 1]
        self.view = self._part("view")
        self.next = self._part("next")

    def _part(self, name: str) -> dict[str, np.ndarray]:
        part = self.records[name][0]
        return {field: part[field] for field in part.dtype.names}

    def start(self) -> None:
        """Begin an episode from the record's seed; the first views go to `next`."""
        self.records["step"] = 0
        observation, info = self.env.reset(seed=int(self.records["seed"][0]))
        self.alive = {agent for agent in self.agents if agent in self.env.agents}
        if not self.alive:
            raise EnvError("nobody is in the environment after reset: env.agents is empty.")
        self._perceive(self.next, observation, info, self.alive, self.alive)

    def step(self) -> None:
        """Play the record's action; where nobody is left, begin the next episode, if there is to be
        one."""
        self.records["step"] += 1
        played = self.alive
        observation, reward, terminated, truncated, info = self.env.step(self._actions())
        ended = {agent for agent in played if self._of(terminated, agent, "terminated")}
        cut = {agent for agent in played if self._of(truncated, agent, "truncated")}
        self.alive = played - ended - cut
        self._settle(played, reward, ended, cut, info)
        self._perceive(self.view, observation, info, played, played - ended)
        if not self.alive and self.again:
            return self.start()
        self._require_same_agents()
        for name, array in self.next.items():
            array[...] = self.view[name]
        return self._dismiss(self.alive)

    def close(self) -> None:
        """Let the environment go; an error while it closes harms nobody."""
        close(self.env)

    def _actions(self) -> dict[Any, Any]:
        chosen = self.records["action"][0]
        agents = enumerate(self.agents)
        return {agent: self._action(i, chosen[i]) for i, agent in agents if agent in self.alive}

    def _action(self, index: int, chosen: Any) -> Any:
        """Return an agent's part of the joint action, as its own space has it."""
        size, coding = self.sizes[index], self.layout.acted[index]
        if isinstance(coding, Numbers):
            action = chosen[:size]
            if not np.isfinite(action).all():
                self._fail(self.agents[index], f"plays {action.tolist()}")
            return coding.decode(action)
        number = int(np.ravel(chosen)[0])
        if not 0 <= number < size:
            self._fail(self.agents[index], f"plays action {number} of {size}")
        return coding.decode(number)

    def _settle(
        self, played: set[Any], reward: Any, ended: set[Any], cut: set[Any], info: Any
    ) -> None:
        """Write rewards, endings and the numbers of `info`."""
        record = self.records[0]
        for i, agent in enumerate(self.agents):
            here = agent in played
            record["reward"][i] = self._number(reward, agent) if here else 0.0
            record["terminated"][i] = agent in ended or not here
            record["truncated"][i] = agent in cut
            for k, key in enumerate(self.layout.info):
                record["info"][i, k] = number_in(info, agent, key) if here else 0.0
        self._require_finite(record["reward"], "its reward")

    def _perceive(
        self,
        view: dict[str, np.ndarray],
        observation: Any,
        info: Any,
        given: set[Any],
        present: set[Any],
    ) -> None:
        """Write the views: what the agents in `given` perceive, zeros for the others."""
        for i, agent in enumerate(self.agents):
            view["present"][i] = agent in present
            row = view["observation"][i]
            if agent not in given:
                row[:] = 0.0
                continue
            seen = self._of(observation, agent, "observation")
            numbers = self._vector(i, seen)
            row[: len(numbers)] = numbers
        if self.layout.masked:
            view[MASK][...] = self.own
        self._mask(view.get(MASK), observation, info, present)

    def _mask(
        self, mask: np.ndarray | None, observation: Any, info: Any, present: set[Any]
    ) -> None:
        """Write the action masks; also those of the last view of a cut-off episode, beyond which
        learners look. Agents that have ended, or are told nothing, may do anything."""
        for i, agent in enumerate(self.agents):
            coding = self.layout.acted[i]
            given = mask_of(observation.get(agent), info.get(agent, {}))
            if given is None or agent not in present or isinstance(coding, Numbers):
                continue
            if mask is None:
                self._fail(
                    agent,
                    "an action_mask comes for the first time: give one with every reset, or with "
                    "the first step at the latest",
                )
            given, size = coding.mask(given), self.sizes[i]
            if given.shape != (size,):
                self._fail(agent, f"its action_mask has shape {given.shape}, not ({size},)")
            if given.any():
                mask[i, :size] = given
            elif agent in self.alive:
                self._fail(agent, "its action_mask allows no action")

    def _dismiss(self, alive: set[Any]) -> None:
        """Blank the next view of those who have just left."""
        for i, agent in enumerate(self.agents):
            if agent not in alive:
                self.next["observation"][i] = 0.0
                self.next["present"][i] = False

    def _vector(self, index: int, seen: Any) -> np.ndarray:
        """An agent's observation as numbers."""
        try:
            return encoded(self.layout.seen[index], seen)
        except ValueError as error:
            self._fail(self.agents[index], f"its {error}")

    def _of(self, given: Any, agent: Any, what: str) -> Any:
        """One agent's entry of a dictionary that the environment gave."""
        try:
            return given[agent]
        except (KeyError, TypeError, IndexError):
            self._fail(agent, f"the environment gave no {what} for it")

    def _number(self, rewards: Any, agent: Any) -> float:
        """An agent's reward."""
        given = self._of(rewards, agent, "reward")
        number = np.asarray(given)
        if number.size != 1 or number.dtype.kind not in "biuf":
            self._fail(agent, f"its reward is {given!r}, which is not one number")
        with np.errstate(over="ignore"):  # a number that is too large is not finite
            return number.astype(np.float32).item()

    def _require_finite(self, numbers: np.ndarray, what: str) -> None:
        finite = np.isfinite(numbers)
        if not finite.all():
            index = int(np.argmin(finite.reshape(len(numbers), -1).all(axis=1)))
            bad = numbers[index][~finite[index]].tolist()
            self._fail(self.agents[index], f"{what} holds {bad}")

    def _require_same_agents(self) -> None:
        """Check that no agent comes back, or leaves without having been terminated or truncated."""
        now = set(self.env.agents)
        for agent in now - self.alive:
            self._fail(agent, "is in env.agents although it had left")
        for agent in self.alive - now:
            self._fail(agent, "left env.agents without being terminated or truncated")

    def _fail(self, agent: Any, text: str) -> NoReturn:
        step = int(self.records["step"][0])
        raise EnvError(f"agent {agent!r} at step {step} of its episode: {text}.")
