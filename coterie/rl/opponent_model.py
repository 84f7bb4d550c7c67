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

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

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

    def predict(
        self, seen: Float[Array, "B N F"], past: History, who: Int[Array, " M"]
    ) -> Float[Array, "B M W"]:
        """Predictions of the actions of agents `who`, given what all see and what they did just
        before."""
        each = _one_by_one(lambda j: self._of(j, seen, past)(self._model(j)), who)
        return jnp.moveaxis(each, 0, 1)

    def sample(
        self,
        seen: Float[Array, "B N F"],
        past: History,
        index: Int[Array, ""],
        discrete: bool,
        key: Key[Array, ""],
    ) -> Float[Array, "B N W"]:
        """Actions that the others might take, as others see them; zeros for agent `index`."""
        who = others(index, seen.shape[1])
        outputs = jax.lax.stop_gradient(self.predict(seen, past, who))
        if discrete:
            told = jax.nn.one_hot(jax.random.categorical(key, outputs), outputs.shape[-1])
        else:
            told = jnp.tanh(outputs)
        return jnp.zeros((*seen.shape[:2], told.shape[-1])).at[:, who].set(told)

    def gradient(
        self,
        seen: Float[Array, "B N F"],
        acted: Float[Array, "B N W"],
        past: History,
        index: Int[Array, ""],
        discrete: bool,
        there: Bool[Array, "B N"] | None = None,
    ) -> tuple[OpponentModel, dict[str, Float[Array, ""]]]:
        """Gradient of the predictions' loss in all models, held by agent `index`, and metrics.

        The loss is the cross-entropy of discrete actions, in nats, and half the squared error of
        continuous ones; the accuracy is the share of actions that are thought most likely, or the
        share of their variance that is explained. Where it is known who is `there`, only these
        count.
        """
        who = others(index, acted.shape[1])
        counts = jnp.ones(acted.shape[:2]) if there is None else there.astype(acted.dtype)
        share = counts / jnp.maximum(jnp.sum(counts[:, who]), 1.0)

        def one(j: Int[Array, ""]) -> tuple:
            predict = self._of(j, seen, past)

            def loss(model: OpponentModel) -> tuple[Float[Array, ""], Float[Array, ""]]:
                errors, scores = _judged(predict(model), acted[:, j], discrete)
                return jnp.sum(share[:, j] * errors), jnp.sum(share[:, j] * scores)

            return jax.value_and_grad(loss, has_aux=True)(self._model(j))

        (losses, scores), gradients = _one_by_one(one, who)
        loss, score = jnp.sum(losses), jnp.sum(scores)
        accuracy = score if discrete else 1.0 - loss / jnp.maximum(score, 1e-8)
        gradient = jax.tree.map(
            lambda model, each: jnp.zeros_like(model).at[who].set(each), self.models, gradients
        )
        return gradient, {"opponent_model/loss": loss, "opponent_model/accuracy": accuracy}

    def _model(self, j: Int[Array, ""]) -> OpponentModel:
        """Model of agent `j`."""
        return jax.tree.map(lambda x: x[j], self.models)

    def _of(
        self, j: Int[Array, ""], seen: Float[Array, "B N F"], past: History
    ) -> Callable[[OpponentModel], Float[Array, "B W"]]:
        """Return a function from a model of agent `j` to its predictions."""
        recent, whole = past.steps[j], self.first.steps[j]
        return lambda model: model.predict(seen[:, j], recent, past.real, whole, self.first.over)


def others(index: Int[Array, ""], agents: int) -> Int[Array, " M"]:
    """The indices of all agents but one.

    >>> others(jnp.array(1), 3).tolist()
    [2, 0]
    """
    return (index + 1 + jnp.arange(agents - 1)) % agents


def _one_by_one(function: Callable, who: Int[Array, " M"]) -> PyTree:
    """Results of a function for each agent `who`, stacked.

    On a processor one after the other: what is worked out for one fits its cache.
    """
    if jax.default_backend() == "cpu":
        return jax.lax.map(function, who)
    return jax.vmap(function)(who)


def _judged(
    outputs: Float[Array, "B W"], acted: Float[Array, "B W"], discrete: bool
) -> tuple[Float[Array, " B"], Float[Array, " B"]]:
    """Errors of predictions; and which of them are right, or how much there is to explain."""
    if discrete:
        right = jnp.argmax(outputs, axis=-1) == jnp.argmax(acted, axis=-1)
        return -jnp.sum(acted * jax.nn.log_softmax(outputs), axis=-1), right.astype(outputs.dtype)
    spread = acted - jnp.mean(acted, axis=0)
    return (
        0.5 * jnp.sum((jnp.tanh(outputs) - acted) ** 2, axis=-1),
        0.5 * jnp.sum(spread**2, axis=-1),
    )


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
