"""Models of other agents, held by one agent, as in F2A2 (section 5.2, figure 3).

For each other agent there are four networks, all of the observer's own:

    character   encodes whole trajectories of the past; their mean stays with the agent
    mental      encodes the last few steps of the running episode
    natural     predicts the action from what the agent sees now, its character and mental state
    impromptu   predicts it from what the agent sees now alone

The prediction is the mean of the last two's outputs: logits of a discrete action, or a continuous
one before its `tanh`. All four learn by the error of that prediction, from the latest steps.

The paper says LSTM in its text and gated units in its appendix: units they are, one layer of them
after a dense one. It leaves open how the two predictions are put together, and the loss.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from coterie.rl import masked_stats
from coterie.rl.bodies import Body
from coterie.rl.layers import Dense
from coterie.rl.models import GRU, MLP, Inputs


class History(NamedTuple):
    """Steps of everybody, time after agents: what each saw and did, and which steps count.

    over: an episode ended with this step; `real`: it belongs to what is remembered, `[L, B]`.
    """

    steps: Float[Array, "N L B I"]
    over: Bool[Array, "L B"]
    real: Bool[Array, "L B"]

    def beside(self, other: "History") -> "History":
        """Join a history of as many steps in other environments."""
        return History(
            jnp.concatenate([self.steps, other.steps], axis=2),
            jnp.concatenate([self.over, other.over], axis=1),
            jnp.concatenate([self.real, other.real], axis=1),
        )


class Net(eqx.Module):
    """Dense layers and a head."""

    body: Body
    head: Dense

    @staticmethod
    def init(key: Key[Array, ""], inputs: int, width: int, outputs: int) -> "Net":
        """A net that starts out close to 0."""
        body, head = jax.random.split(key)
        layers = MLP((width,)).build(body, Inputs(inputs))
        return Net(layers, Dense.init(head, width, outputs, 0.01))

    def __call__(self, x: Float[Array, "*batch I"]) -> Float[Array, "*batch W"]:
        return self.head(self.body.step(x, ())[0])


class OpponentModel(eqx.Module):
    """Model of one agent; those of a team are stacked, `[N, ...]`."""

    character: Body
    mental: Body
    natural: Net
    impromptu: Net

    @staticmethod
    def init(key: Key[Array, ""], seen: int, acted: int, width: int) -> "OpponentModel":
        """A fresh model for observations of `seen` numbers and actions of `acted`."""
        keys = jax.random.split(key, 4)
        model, inputs = GRU((width,)), Inputs(seen + acted)
        return OpponentModel(
            model.build(keys[0], inputs),
            model.build(keys[1], inputs),
            Net.init(keys[2], seen + 2 * width, width, acted),
            Net.init(keys[3], seen, width, acted),
        )

    def predict(
        self,
        seen: Float[Array, "B F"],
        recent: Float[Array, "L B I"],
        real: Bool[Array, "L B"],
        trajectories: Float[Array, "T M I"],
        over: Bool[Array, "T M"],
    ) -> Float[Array, "B W"]:
        """The prediction for an agent that sees `seen`, before it becomes an action.

        recent: its steps just before, as far as they are `real`.
        """
        mental = jnp.asarray(self.mental.end(recent, _nothing(self.mental, recent), ~real))
        encoded = self.character.sequence(
            trajectories, _nothing(self.character, trajectories), over
        )
        ends = over.at[-1].set(True)
        character = jnp.sum(jnp.where(ends[..., None], encoded, 0.0), (0, 1)) / jnp.sum(ends)
        known = jnp.broadcast_to(character, (len(seen), *character.shape))
        natural = self.natural(jnp.concatenate([seen, known, mental], axis=-1))
        return 0.5 * (natural + self.impromptu(seen))


class OpponentModels(NamedTuple):
    """Models of all agents, held by one of them (one of itself, too, which is not used).

    models: stacked, `[N, ...]`; first: the trajectories that characters are formed by.
    """

    models: OpponentModel
    first: History

    def predict(self, seen: Float[Array, "B N F"], past: History) -> Float[Array, "B N W"]:
        """Predictions of all agents' actions, given what all see and what they did just before."""
        one = jax.vmap(
            lambda mind, seen, recent, whole: mind.predict(
                seen, recent, past.real, whole, self.first.over
            ),
            in_axes=(0, 1, 0, 0),
            out_axes=1,
        )
        return one(self.models, seen, past.steps, self.first.steps)

    def sample(
        self, seen: Float[Array, "B N F"], past: History, discrete: bool, key: Key[Array, ""]
    ) -> Float[Array, "B N W"]:
        """Actions that everybody might take, as others see them."""
        outputs = jax.lax.stop_gradient(self.predict(seen, past))
        if not discrete:
            return jnp.tanh(outputs)
        return jax.nn.one_hot(jax.random.categorical(key, outputs), outputs.shape[-1])

    def loss(
        self,
        seen: Float[Array, "B N F"],
        acted: Float[Array, "B N W"],
        past: History,
        index: Int[Array, ""],
        discrete: bool,
        there: Bool[Array, "B N"] | None = None,
    ) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        """Loss and accuracy of the predictions of the others' actions, for agent `index`.

        The cross-entropy of discrete actions, in nats, and the share of them that is thought most
        likely; half the squared error of continuous ones, and the share of their variance that is
        explained. Where it is known who is `there`, only these count.
        """
        outputs = self.predict(seen, past)
        other = jnp.arange(acted.shape[1]) != index
        others = other / (acted.shape[1] - 1)

        def mean(values: Float[Array, "B N"]) -> Float[Array, ""]:
            if there is not None:
                return masked_stats.mean(values, there & other)
            return jnp.mean(jnp.sum(others * values, axis=-1))

        if discrete:
            errors = -jnp.sum(acted * jax.nn.log_softmax(outputs), axis=-1)
            right = jnp.argmax(outputs, axis=-1) == jnp.argmax(acted, axis=-1)
            loss, accuracy = mean(errors), mean(right.astype(errors.dtype))
        else:
            loss = mean(0.5 * jnp.sum((jnp.tanh(outputs) - acted) ** 2, axis=-1))
            spread = mean(0.5 * jnp.sum((acted - jnp.mean(acted, axis=0)) ** 2, axis=-1))
            accuracy = 1.0 - loss / jnp.maximum(spread, 1e-8)
        return loss, {"opponent_model/loss": loss, "opponent_model/accuracy": accuracy}


def init_opponent_models(
    key: Key[Array, ""], agents: int, sizes: tuple[int, int], width: int
) -> OpponentModel:
    """A fresh model of each agent, stacked; `sizes` are those of an observation and an action."""
    keys = jax.random.split(key, agents)
    # One by one: many orthogonal matrices at once wait for each other for ever inside a loop.
    return jax.lax.map(lambda key: OpponentModel.init(key, *sizes, width), keys)


def _nothing(body: Body, steps: Float[Array, "L B I"]) -> Float[Array, "B H"]:
    """Memory of a recurrent body before streams begin."""
    start = jnp.asarray(body.start())
    return jnp.broadcast_to(start, (steps.shape[1], *start.shape))
