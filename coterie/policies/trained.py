"""Trained policies: from what an environment shows to its actions."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from coterie.encoding import MASK, Choice, Numbers, encoded
from coterie.errors import EnvError, require
from coterie.policies.metadata import PolicyMetadata
from coterie.policies.network import Outputs, PolicyNetwork


class TrainedPolicy:
    """A trained policy: call it with an observation and it answers with an action.

    It remembers the episode if its network is recurrent: call `reset` when a new one starts. It
    draws from a random stream of its own: two agents with equal seeds draw different numbers.
    """

    def __init__(self, network: PolicyNetwork, about: PolicyMetadata, greedy: bool, seed: int):
        require(seed >= 0, f"seed must be at least 0, not {seed}.")
        self.metadata = about
        self.network = network
        self._greedy = greedy
        self._sees = about.sees or Numbers(about.shape or (about.observation,))
        sizes = np.array(about.action.each or (about.action.size,))
        self._able = np.arange(sizes.max()) < sizes[:, None]
        own = f"{about.run}/{about.seed}/{about.agent}/{about.name}".encode()
        stream = np.frombuffer(hashlib.sha256(own).digest(), np.uint32).tolist()
        self._random = np.random.default_rng([seed, *stream])
        self.reset()

    def reset(self) -> None:
        """Forget the episode."""
        self._memory = self.network.start()

    def __call__(self, observation: Any, action_mask: Any = None) -> int | np.ndarray:
        """The environment's action for an observation of the environment's own.

        observation: of a PettingZoo environment, what it shows: an array, a number, a dict; else
            `[F]` numbers, or an image. A numbered observation is the vector `[1]` of its number.
        action_mask: which of its `A` actions are possible, `[A]`, or a tuple with a mask for each
            of several choices; by default as the observation says, if it is a dict with an
            `"action_mask"`, or else all. Numbers are possible whatever it says, as in training.

        Returns a number, or an array in the environment's units; of several choices the vector of
        their numbers. Raises `EnvError` that names the place of what does not fit, or is not
        finite.
        """
        numbers = self._numbers(observation)
        if action_mask is None and isinstance(observation, Mapping):
            action_mask = observation.get(MASK)
        possible = self._possible(action_mask)
        outputs = self.network.step(numbers, self._memory)
        if not np.isfinite(outputs.values).all():  # to write out an array takes longer than to act
            raise EnvError(
                f"the network of {self.metadata.name} gives {outputs.values} for this observation: "
                "its numbers are too large."
            )
        self._memory = outputs.memory
        return self.action_of(outputs, possible)

    def action_of(self, outputs: Outputs, possible: np.ndarray | None = None) -> int | np.ndarray:
        """The environment's action that the network's outputs for one step stand for.

        possible: which of `A` actions are possible, `[A]` truth values; all, if it is `None`.
        """
        action = self.metadata.action.rescale(self._chosen(outputs, possible))
        acts = self.metadata.acts
        return self.metadata.action.plain(action) if acts is None else acts.decode(action)

    def _numbers(self, observation: Any) -> np.ndarray:
        """An observation as the network's inputs `[F]`."""
        about = self.metadata
        try:
            numbers = encoded(self._sees, observation, "observation")
        except ValueError as error:
            raise EnvError(f"{about.name} cannot read this: {error}.") from None
        if about.states and numbers[0] not in range(about.states):
            last = about.states - 1
            raise EnvError(f"{about.name} knows the observations 0 to {last}, not {numbers[0]:g}.")
        return numbers

    def _possible(self, action_mask: Any) -> np.ndarray | None:
        """A mask as truth values `[A]`; `None` if all is possible."""
        about = self.metadata
        reads = about.acts or Choice(about.action.size)
        if action_mask is None or isinstance(reads, Numbers) or about.action.continuous:
            return None
        mask = reads.mask(action_mask)
        require(
            mask.shape == (about.action.size,),
            f"{about.name} has {about.action.size} actions, but the mask has shape {mask.shape}.",
            EnvError,
        )
        return mask

    def _chosen(self, outputs: Outputs, possible: np.ndarray | None) -> Any:
        """The most likely action, or one that is drawn; numbers in [-1, 1]."""
        values, action = outputs.values, self.metadata.action
        if outputs.log_std is not None:
            noise = 0.0 if self._greedy else self._random.standard_normal(values.shape)
            drawn = values + np.exp(outputs.log_std) * np.asarray(noise, np.float32)
            return np.tanh(drawn) if self.metadata.deviations is not None else drawn
        able = self._able if possible is None else self._able & possible.reshape(self._able.shape)
        if possible is not None and not able.any(axis=1).all():
            raise EnvError(f"the action_mask of {self.metadata.name} allows no action.")
        scores = values.reshape(able.shape)
        if not self._greedy:  # the largest after Gumbel's noise is a draw of the softmax
            scores = scores + self._random.gumbel(size=able.shape)
        chosen = np.where(able, scores, -np.inf).argmax(axis=1)
        return chosen if action.each else chosen[0]
