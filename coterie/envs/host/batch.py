"""Batches that step all their copies at once, in this process: Gymnasium's vector environments.

Nothing interrupts a batch: a step that hangs, hangs the training.
"""

from typing import Any, NamedTuple, NoReturn

import numpy as np

from coterie.encoding import MASK, Encoding, Numbers
from coterie.envs.host.factory import RAISED, arguments, build_batch, close, describe
from coterie.envs.host.layout import Layout, mask_of, record
from coterie.envs.host.rows import decoded_rows, encoded_rows
from coterie.envs.host.serve import START
from coterie.errors import EnvError, require
from coterie.internal.gymnasium_team import are_tuples
from coterie.internal.gymnasium_vector import reset


class Batches:
    """Batches of `copies` copies: a batch for each set, with the interface of `Workers`.

    factory, env_kwargs: who makes a batch, and with which arguments.
    """

    def __init__(self, factory: str, env_kwargs: tuple[str, ...], layout: Layout, copies: int):
        self.factory = factory
        self.env_kwargs = env_kwargs
        self.layout = layout
        self.records = np.zeros(copies, record(layout))
        self.gone = False
        self._sets: dict[int, Batch] = {}

    def command(self, what: int, number: int) -> None:
        """Start or step set `number`; a failure closes all, and is an `EnvError`."""
        try:
            batch = self._set(number)
            batch.start() if what == START else batch.step()
        except EnvError as error:
            self.close()
            raise EnvError(f"{self.factory}: {error}") from error
        except RAISED as error:
            self.close()
            raise EnvError(f"{self.factory} failed: {describe(error)}.") from error

    def close(self) -> None:
        """Close all batches."""
        for batch in self._sets.values():
            close(batch.env)
        self._sets.clear()
        self.gone = True

    def _set(self, number: int) -> "Batch":
        """The batch of a set, built when it is first asked for."""
        if number not in self._sets:
            env = build_batch(self.factory, arguments(self.env_kwargs), len(self.records))
            self._sets[number] = Batch(env, self.layout, self.records)
        return self._sets[number]


class Sight(NamedTuple):
    """Views of all agents in all copies: observations, and the possible actions."""

    observation: np.ndarray
    mask: np.ndarray

    def replaced(self, there: np.ndarray, other: "Sight") -> "Sight":
        """Take another view in the copies that `there` marks."""
        pairs = zip(self, other, strict=True)
        return Sight(*(np.where(there[:, None, None], b, a) for a, b in pairs))


class Batch:
    """A vector environment between the arrays of its records.

    env:     the vector environment.
    layout:  the sizes of the agents' observations and actions.
    records: the records of all copies (`layout.record`).

    Where an episode is over, the next one begins at once, if the batch can do that: by a reset of
    its own (`SAME_STEP`), which keeps the last observation in `final_obs`, or by one that is asked
    for (`DISABLED`). Else (`NEXT_STEP`) it takes a step more, in which nobody is in that copy.
    """

    def __init__(self, env: Any, layout: Layout, records: np.ndarray):
        self.env = env
        self.layout = layout
        self.records = records
        self.mode = env.metadata["autoreset_mode"].name
        self.team = are_tuples(env.single_observation_space, env.single_action_space)
        self.own = np.arange(max(layout.actions)) < np.array(layout.actions)[:, None]
        self.every = np.ones(len(records), bool)
        self.idle = ~self.every

    def start(self) -> None:
        """Begin an episode in every copy, from the records' seeds."""
        self.records["step"] = 0
        self.idle = ~self.every
        seen, info = reset(self.env, self.records["seed"])
        self._go_on(self._sight(seen, info, self.every))

    def step(self) -> None:
        """Play the records' actions; begin the next episode where one is over."""
        played = ~self.idle
        self.records["step"] += played
        seen, reward, ended, cut, info = self.env.step(self._actions())
        ended = self._each(ended, "terminated").astype(bool)
        cut = self._each(cut, "truncated").astype(bool)
        over = played & np.any(ended | cut, axis=1)
        there = played[:, None] & ~ended
        self._pay(np.where(played[:, None], self._each(reward, "reward"), 0.0))
        self.records["terminated"] = ~there
        self.records["truncated"] = over[:, None] & there
        self._report(info, played, over)
        last, first = self._around(seen, info, over)
        self._show("view", last, played, there)
        self.idle = over & (self.mode == "NEXT_STEP")
        self.records["step"][over] = 0
        self._go_on(first)

    def _actions(self) -> Any:
        """The joint actions as the batch's action space has them."""
        parts = tuple(map(self._action, range(len(self.layout.agents))))
        return parts if self.team else parts[0]

    def _action(self, index: int) -> np.ndarray:
        """One agent's actions in all copies."""
        chosen, coding = self.records["action"][:, index], self.layout.acted[index]
        size = self.layout.actions[index]
        if isinstance(coding, Numbers):
            chosen = chosen[:, :size]
            self._require_good(np.isfinite(chosen), index, chosen, "plays {}")
        else:
            chosen = (chosen if chosen.ndim == 1 else chosen[:, 0]).astype(np.int64)
            good = (chosen >= 0) & (chosen < size)
            self._require_good(good, index, chosen, f"plays action {{}} of {size}")
        return decoded_rows(coding, chosen)

    def _around(self, seen: Any, info: Any, over: np.ndarray) -> tuple[Sight, Sight]:
        """The last views of the step, and the first ones of what follows; the same, unless an
        episode is over."""
        if self.mode == "SAME_STEP" and over.any():
            last = self._final(seen, info, over)
            return last, self._sight(seen, info, self.every)
        now = self._sight(seen, info, self.every)
        if self.mode != "DISABLED" or not over.any():
            return now, now
        return now, now.replaced(over, self._restarted(now, over))

    def _final(self, seen: Any, info: Any, over: np.ndarray) -> Sight:
        """The views before the batch has begun the next episodes."""
        from gymnasium.vector.utils import concatenate, create_empty_array, iterate

        require(
            "final_obs" in info,
            f"a copy is reset in the step that ends its episode (SAME_STEP) at step "
            f"{self.records['step'][over][0]}, and its last observation is not in infos"
            "['final_obs']: put it there, or reset with the next step (NEXT_STEP).",
            EnvError,
        )
        space, given = self.env.single_observation_space, info["final_obs"]
        parts = iterate(self.env.observation_space, seen)
        each = [given[k] if over[k] else part for k, part in enumerate(parts)]
        last = concatenate(space, each, create_empty_array(space, len(each)))
        now, closing = self._sight(last, info, ~over), info.get("final_info", {})
        return now.replaced(over, self._sight(last, closing, over))

    def _restarted(self, now: Sight, over: np.ndarray) -> Sight:
        """The views after a reset of some copies, which leaves the others alone."""
        seen, info = reset(self.env, self.records["seed"], {"reset_mask": over.copy()})
        fresh = self._sight(seen, info, over)
        same = np.all(fresh.observation == now.observation, axis=(1, 2)) | over
        require(
            bool(same.all()),
            f"copy {np.argmin(same)} shows something else after a reset of others: reset only "
            "the copies that options['reset_mask'] marks.",
            EnvError,
        )
        return fresh

    def _sight(self, seen: Any, info: Any, wanted: np.ndarray) -> Sight:
        """The views of all copies; they are looked at in those that are `wanted`."""
        layout = self.layout
        parts = seen if self.team else (seen,)
        numbers = np.zeros((len(wanted), len(layout.agents), max(layout.observations)), np.float32)
        for i, (encoding, part) in enumerate(zip(layout.seen, parts, strict=True)):
            try:
                rows = encoded_rows(encoding, part, len(wanted))
            except ValueError as error:
                raise EnvError(f"agent {layout.agents[i]!r}: its {error}.") from None
            self._require_finite(i, np.where(wanted[:, None], rows, 0.0), encoding)
            numbers[:, i, : encoding.size] = rows
        return Sight(numbers, self._mask(parts, info, wanted))

    def _mask(self, parts: Any, info: Any, wanted: np.ndarray) -> np.ndarray:
        """The possible actions; all, where the batch does not say."""
        masks = np.repeat(self.own[None], len(wanted), axis=0)
        for i, (coding, part) in enumerate(zip(self.layout.acted, parts, strict=True)):
            given, size = mask_of(part, info), self.layout.actions[i]
            if given is None or isinstance(coding, Numbers):
                continue
            mask, agent = np.array([coding.mask(each) for each in given]), self.layout.agents[i]
            require(
                self.layout.masked and mask.shape == (len(wanted), size),
                f"agent {agent!r}: its action_mask has shape {mask.shape}, not "
                f"({len(wanted)}, {size}), or comes for the first time: give one with every reset.",
                EnvError,
            )
            told = wanted & info.get(f"_{MASK}", True)
            masks[told, i, :size] = mask[told]
        return masks

    def _go_on(self, sight: Sight) -> None:
        """Write the views to act on next, in the copies in which somebody is."""
        acting = ~self.idle
        for i in range(len(self.layout.agents)):
            mask = sight.mask[:, i]
            self._require_good(
                mask.any(axis=1) | self.idle, i, mask, "its action_mask allows no action"
            )
        shape = (len(acting), len(self.layout.agents))
        self._show("next", sight, acting, np.broadcast_to(acting[:, None], shape))

    def _show(self, name: str, sight: Sight, given: np.ndarray, there: np.ndarray) -> None:
        """Write the views: what agents of the copies `given` perceive, zeros for the others.

        An agent that is gone may do anything, and so may one that is told that nothing is possible
        after its last step.
        """
        view = self.records[name]
        view["observation"] = np.where(given[:, None, None], sight.observation, 0.0)
        view["present"] = there
        if self.layout.masked:
            some = there & sight.mask.any(axis=2)
            view[MASK] = np.where(some[..., None], sight.mask, self.own)

    def _pay(self, reward: np.ndarray) -> None:
        """Write the rewards, which are finite."""
        with np.errstate(over="ignore"):  # a number that is too large is not finite
            self.records["reward"] = reward
        for i, paid in enumerate(self.records["reward"].T):
            self._require_good(np.isfinite(paid), i, paid, "its reward is {}")

    def _each(self, given: Any, what: str) -> np.ndarray:
        """An array with a number for each agent, of which there may be one for all."""
        array = np.asarray(given)
        shape = (len(self.records), len(self.layout.agents))
        if array.shape not in (shape[:1], shape) or array.dtype.kind not in "biuf":
            raise EnvError(
                f"the batch gives {what} as {array.dtype} of shape {array.shape}, not of shape "
                f"{shape[:1]}, a number for each copy, or {shape}, one for each agent."
            )
        return np.broadcast_to(array if array.ndim > 1 else array[:, None], shape)

    def _report(self, info: dict[str, Any], played: np.ndarray, over: np.ndarray) -> None:
        """Write the numbers of `info`."""
        closing = info.get("final_info", {}) if self.mode == "SAME_STEP" else info
        for k, key in enumerate(self.layout.info):
            told = np.where(over, self._column(closing, key), self._column(info, key))
            self.records["info"][:, :, k] = np.where(played, told, 0.0)[:, None]

    def _column(self, info: dict[str, Any], key: str) -> np.ndarray:
        """A number of every copy; NaN where there is none, or something else."""
        value = np.asarray(info.get(key))
        if value.shape != (len(self.records),) or value.dtype.kind not in "biuf":
            return np.full(len(self.records), np.nan)
        return np.where(info.get(f"_{key}", True), value, np.nan)

    def _require_finite(self, index: int, rows: np.ndarray, encoding: Encoding) -> None:
        finite = np.isfinite(rows)
        if not finite.all():
            row, place = np.unravel_index(np.argmin(finite), rows.shape)
            where = encoding.place(int(place))
            self._fail(int(row), index, f"its observation{where} is {rows[row, place]}")

    def _require_good(self, good: np.ndarray, index: int, values: np.ndarray, text: str) -> None:
        """Name the first copy in which something about an agent is not good."""
        rows = good.reshape(len(good), -1).all(axis=1)
        if not rows.all():
            row = int(np.argmin(rows))
            self._fail(row, index, text.format(values[row].tolist()))

    def _fail(self, row: int, index: int, text: str) -> NoReturn:
        step = self.records["step"][row]
        agent = self.layout.agents[index]
        raise EnvError(f"copy {row}, agent {agent!r} at step {step} of its episode: {text}.")
