"""The distributions that policies choose actions from; batched over leading axes."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from coterie.rl.hybrid import Hybrid

LOG_2PI = 1.8378770664093453
LOG_2 = 0.6931471805599453
NEVER = -1e9
"""Value of an impossible action, where the largest value wins."""
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(32)


def masked(values: Float[Array, "..."], possible: Bool[Array, "..."] | None) -> Float[Array, "..."]:
    """The numbers of possible actions (all, if it is `None`), and `NEVER` for the others.

    >>> masked(jnp.array([1.0, 2.0]), jnp.array([True, False])).tolist()
    [1.0, -1000000000.0]
    """
    return values if possible is None else jnp.where(possible, values, NEVER)


class Categorical(NamedTuple):
    """One of `A` actions; `log_probs` are normalised, and very small where an action is masked."""

    log_probs: Float[Array, "*batch A"]

    @staticmethod
    def of(
        logits: Float[Array, "*batch A"], mask: Bool[Array, "*batch A"] | None = None
    ) -> "Categorical":
        """Build from raw logits; a masked action has probability zero and passes no gradient."""
        return Categorical(jax.nn.log_softmax(masked(logits, mask)))

    @property
    def continuous(self) -> bool:
        """True if actions are numbers, not discrete."""
        return False

    def encode(self, action: Int[Array, " *batch"]) -> Float[Array, "*batch A"]:
        """An action as critics see it: a vector of zeros and a one."""
        return jax.nn.one_hot(action, self.log_probs.shape[-1])

    @property
    def possible(self) -> "Categorical":
        """Distribution with log-probability 0 for impossible actions, which are never asked for."""
        return Categorical(jnp.where(self._able, self.log_probs, 0.0))

    def sample(self, key: Key[Array, ""]) -> Int[Array, " *batch"]:
        """Draw one action per element of the batch."""
        return jax.random.categorical(key, self.log_probs)

    def relaxed(self, key: Key[Array, ""]) -> Float[Array, "*batch A"]:
        """A draw that a gradient passes through: Gumbel-softmax (Jang et al. 2017), temperature 1.

        Its largest entry is a draw of `sample`'s kind.
        """
        shape = self.log_probs.shape
        noise = jax.random.gumbel(key, (shape[-1], *shape[:-1]))  # entry by entry: see Gaussian
        return jax.nn.softmax(self.log_probs + jnp.moveaxis(noise, 0, -1))

    def drawn(self, key: Key[Array, ""]) -> Float[Array, "*batch A"]:
        """The draw that `relaxed` softens, as critics see actions: a vector of zeros and a one."""
        return self.encode(jnp.argmax(self.relaxed(key), axis=-1))

    def smoothed(
        self, key: Key[Array, ""], deviation: float, width: float, most: float
    ) -> Float[Array, "*batch A"]:
        """A draw, as critics see actions: choices need no noise on top."""
        return self.drawn(key)

    def output_l2(self) -> Float[Array, " *batch"]:
        """The mean square of a policy's outputs: of possible actions' log-probabilities."""
        return _mean_square(self.log_probs, self._able)

    def mode(self) -> Int[Array, " *batch"]:
        """The most likely action."""
        return jnp.argmax(self.log_probs, axis=-1)

    def log_prob(self, action: Int[Array, " *batch"]) -> Float[Array, " *batch"]:
        """`log pi(a)`."""
        # A masked sum is several times faster than a gather, forwards and backwards.
        chosen = action[..., None] == jnp.arange(self.log_probs.shape[-1])
        return jnp.sum(jnp.where(chosen, self.log_probs, 0.0), axis=-1)

    def entropy(self) -> Float[Array, " *batch"]:
        """`-sum_a pi(a) log pi(a)`, in nats."""
        return -jnp.sum(jnp.exp(self.log_probs) * self.log_probs, axis=-1)

    def largest_entropy(self) -> Float[Array, " *batch"]:
        """Entropy of all possible actions alike: the logarithm of their number, in nats."""
        possible = jnp.sum(self._able, axis=-1)
        return jnp.log(possible.astype(self.log_probs.dtype))

    def kl(self, other: Any) -> Float[Array, " *batch"]:
        """`KL(self || other)` to another categorical, in nats.

        As `sum p (r - 1 - log r)` with `r = q / p`, whose terms are of second order in a small
        change: rounded logarithms would otherwise leave 1e-7 of either sign, in which the
        divergence after a first gradient step is lost.
        """
        change = other.log_probs - self.log_probs
        chance, small = jnp.exp(self.log_probs), change < 1.0
        gained = chance * jnp.expm1(jnp.where(small, change, 0.0))
        gained = jnp.where(small, gained, jnp.exp(other.log_probs) - chance)  # r may overflow
        return jnp.sum(gained - chance * change, axis=-1)

    def fisher(self, tangent: "Categorical") -> "Categorical":
        """Fisher's metric: the gradient of a small change's divergence, to second order."""
        return Categorical(jnp.exp(self.log_probs) * tangent.log_probs)

    @property
    def _able(self) -> Bool[Array, "*batch A"]:
        """Actions that are possible."""
        return self.log_probs > 0.1 * NEVER


class MultiCategorical(NamedTuple):
    """`K` independent choices, each one of its own actions; an action is `[K]` numbers."""

    each: Categorical

    @staticmethod
    def of(
        logits: Float[Array, "*batch KA"],
        sizes: tuple[int, ...],
        mask: Bool[Array, "*batch KA"] | None = None,
    ) -> "MultiCategorical":
        """Build from raw logits, `max(sizes)` for each choice; see `Categorical.of`."""
        shape = *logits.shape[:-1], len(sizes), max(sizes)
        able = np.arange(max(sizes)) < np.array(sizes)[:, None]
        possible = jnp.broadcast_to(able, shape)
        if mask is not None:
            possible &= mask.reshape(shape)
        return MultiCategorical(Categorical.of(logits.reshape(shape), possible))

    def sample(self, key: Key[Array, ""]) -> Int[Array, "*batch K"]:
        """Draw one action per element of the batch."""
        return self.each.sample(key)

    def mode(self) -> Int[Array, "*batch K"]:
        """The most likely action."""
        return self.each.mode()

    @property
    def continuous(self) -> bool:
        """True if actions are numbers, not discrete."""
        return False

    def encode(self, action: Int[Array, "*batch K"]) -> Float[Array, "*batch KA"]:
        """An action as critics see it: a vector of zeros and a one for each choice."""
        return _flat(self.each.encode(action))

    @property
    def possible(self) -> "MultiCategorical":
        """Distribution with log-probability 0 for impossible actions, which are never asked for."""
        return MultiCategorical(self.each.possible)

    def relaxed(self, key: Key[Array, ""]) -> Float[Array, "*batch KA"]:
        """A draw that a gradient passes through, the choices one after the other."""
        return _flat(self.each.relaxed(key))

    def drawn(self, key: Key[Array, ""]) -> Float[Array, "*batch KA"]:
        """The draw that `relaxed` softens, as critics see actions."""
        return _flat(self.each.drawn(key))

    def smoothed(
        self, key: Key[Array, ""], deviation: float, width: float, most: float
    ) -> Float[Array, "*batch KA"]:
        """A draw, as critics see actions: choices need no noise on top."""
        return self.drawn(key)

    def output_l2(self) -> Float[Array, " *batch"]:
        """The mean square of a policy's outputs: of possible actions' log-probabilities."""
        return jnp.mean(self.each.output_l2(), axis=-1)

    def log_prob(self, action: Int[Array, "*batch K"]) -> Float[Array, " *batch"]:
        """`log pi(a)`."""
        return jnp.sum(self.each.log_prob(action), axis=-1)

    def entropy(self) -> Float[Array, " *batch"]:
        """Entropy in nats, summed over the choices."""
        return jnp.sum(self.each.entropy(), axis=-1)

    def kl(self, other: Any) -> Float[Array, " *batch"]:
        """`KL(self || other)` to another one, in nats, summed over the choices."""
        return jnp.sum(self.each.kl(other.each), axis=-1)

    def fisher(self, tangent: "MultiCategorical") -> "MultiCategorical":
        """Fisher's metric: the gradient of a small change's divergence, to second order."""
        return MultiCategorical(self.each.fisher(tangent.each))


class Gaussian(NamedTuple):
    """Independent normal numbers, `D` of them; entries where `real` is false do not count."""

    mean: Float[Array, "*batch D"]
    log_std: Float[Array, "*batch D"]
    real: Bool[Array, "*batch D"] | None = None

    def sample(self, key: Key[Array, ""]) -> Float[Array, "*batch D"]:
        """Draw one action per element of the batch."""
        # Entry by entry: the entries of a padded vector do not change the others' numbers.
        noise = jax.random.normal(key, (self.mean.shape[-1], *self.mean.shape[:-1]))
        drawn = self.mean + jnp.exp(self.log_std) * jnp.moveaxis(noise, 0, -1)
        return drawn if self.real is None else jnp.where(self.real, drawn, 0.0)

    def mode(self) -> Float[Array, "*batch D"]:
        """The most likely action."""
        return self.mean

    @property
    def continuous(self) -> bool:
        """True if actions are numbers, not discrete."""
        return True

    def encode(self, action: Float[Array, "*batch D"]) -> Float[Array, "*batch D"]:
        """An action as critics see it: cut to [-1, 1], as the environment does."""
        return jnp.clip(action, -1.0, 1.0)

    @property
    def possible(self) -> "Gaussian":
        """Distribution unchanged: any number is possible."""
        return self

    def relaxed(self, key: Key[Array, ""]) -> Float[Array, "*batch D"]:
        """Most likely action, that of a deterministic policy; a gradient passes through it."""
        return self.mode()

    def drawn(self, key: Key[Array, ""]) -> Float[Array, "*batch D"]:
        """Most likely action, as critics see actions."""
        return self.mode()

    def smoothed(
        self, key: Key[Array, ""], deviation: float, width: float, most: float
    ) -> Float[Array, "*batch D"]:
        """The most likely action: this policy has no noise of that kind."""
        return self.drawn(key)

    def output_l2(self) -> Float[Array, " *batch"]:
        """The mean square of a policy's outputs: of the means."""
        return _mean_square(self.mean, self.real)

    def log_prob(self, action: Float[Array, "*batch D"]) -> Float[Array, " *batch"]:
        """`log pi(a)`, the log of a density."""
        return self._sum(self._density(self._scaled(action)))

    def log_prob_cut(self, action: Float[Array, "*batch D"]) -> Float[Array, " *batch"]:
        """Log-probability of an action cut to [-1, 1]: at an end, of all that lies beyond.

        >>> import jax.numpy as jnp
        >>> wide = Gaussian(jnp.zeros(1), jnp.zeros(1))
        >>> jnp.exp(wide.log_prob_cut(jnp.array([[-1.0], [0.0], [1.0]]))).round(2).tolist()
        [0.1599999964237213, 0.3999999761581421, 0.1599999964237213]
        """
        scaled = self._scaled(action)
        beyond = jax.scipy.special.log_ndtr(jnp.where(action < 0.0, scaled, -scaled))
        return self._sum(jnp.where(jnp.abs(action) < 1.0, self._density(scaled), beyond))

    def entropy(self) -> Float[Array, " *batch"]:
        """The differential entropy, in nats."""
        return self._sum(self.log_std + 0.5 * (1.0 + LOG_2PI) + jnp.zeros_like(self.mean))

    def kl(self, other: Any) -> Float[Array, " *batch"]:
        """`KL(self || other)` to another Gaussian, in nats, summed over the `D` numbers."""
        wider = self.log_std - other.log_std
        shift = ((self.mean - other.mean) * jnp.exp(-other.log_std)) ** 2
        return self._sum(0.5 * (jnp.expm1(2.0 * wider) + shift) - wider)

    def fisher(self, tangent: "Gaussian") -> "Gaussian":
        """Fisher's metric: the gradient of a small change's divergence, to second order."""
        kept = 1.0 if self.real is None else self.real
        mean = kept * tangent.mean * jnp.exp(-2.0 * self.log_std)
        return Gaussian(mean, kept * 2.0 * tangent.log_std, self.real)

    def _scaled(self, action: Float[Array, "*batch D"]) -> Float[Array, "*batch D"]:
        """Difference of an action from the mean, in standard deviations."""
        return (action - self.mean) * jnp.exp(-self.log_std)

    def _density(self, scaled: Float[Array, "*batch D"]) -> Float[Array, "*batch D"]:
        """The log of each number's density."""
        return -0.5 * scaled**2 - self.log_std - 0.5 * LOG_2PI

    def _sum(self, terms: Float[Array, "*batch D"]) -> Float[Array, " *batch"]:
        kept = terms if self.real is None else jnp.where(self.real, terms, 0.0)
        return jnp.sum(kept, axis=-1)


class TanhNormal(NamedTuple):
    """`tanh(u)` of a Gaussian `u`, so that actions lie within (-1, 1); see `Gaussian.real`.

    A ratio of two densities at one action is that of the Gaussians at its `u`: whoever keeps `u`
    needs no inverse of `tanh`.
    """

    inner: Gaussian

    # Numbers are numbers, squashed or not.
    continuous = Gaussian.continuous
    encode = Gaussian.encode
    relaxed = Gaussian.relaxed
    drawn = Gaussian.drawn

    def sample(self, key: Key[Array, ""]) -> Float[Array, "*batch D"]:
        """Draw one action per element of the batch; a gradient passes through it."""
        return jnp.tanh(self.inner.sample(key))

    def mode(self) -> Float[Array, "*batch D"]:
        """`tanh` of the mean: the median, which is what is meant by the best action."""
        return jnp.tanh(self.inner.mean)

    @property
    def possible(self) -> "TanhNormal":
        """Distribution unchanged: any number is possible."""
        return self

    def smoothed(
        self, key: Key[Array, ""], deviation: float, width: float, most: float
    ) -> Float[Array, "*batch D"]:
        """Target action of TD3 (Fujimoto et al. 2018): the best action with noise, cut.

        deviation: of the noise within the `tanh`; width: this distribution's own.
        most:      the largest noise.
        """
        # Entry by entry, as the noise it replaces, so that padding stays exact.
        noise = (self.inner.sample(key) - self.inner.mean) * deviation / width
        return jnp.tanh(self.inner.mean + jnp.clip(noise, -most, most))

    def output_l2(self) -> Float[Array, " *batch"]:
        """The mean square of a policy's outputs: of the means before the `tanh`."""
        return self.inner.output_l2()

    def log_prob(self, action: Float[Array, "*batch D"]) -> Float[Array, " *batch"]:
        """`log pi(a)`, the log of a density."""
        inner = jnp.arctanh(jnp.clip(action, -1.0 + 1e-6, 1.0 - 1e-6))
        return self.inner.log_prob(inner) - self.inner._sum(_log_slope(inner))

    def entropy(self) -> Float[Array, " *batch"]:
        """The differential entropy, in nats: by Gauss-Hermite quadrature, one number at a time."""
        nodes = self.inner.mean + jnp.exp(self.inner.log_std) * NODES.reshape(
            -1, *(1,) * self.inner.mean.ndim
        ).astype(self.inner.mean.dtype)
        weights = jnp.asarray(WEIGHTS / WEIGHTS.sum(), self.inner.mean.dtype)
        change = jnp.tensordot(weights, _log_slope(nodes), axes=1)
        return self.inner.entropy() + self.inner._sum(change)

    def kl(self, other: Any) -> Float[Array, " *batch"]:
        """`KL(self || other)` to another squashed Gaussian, in nats: that of the Gaussians."""
        return self.inner.kl(other.inner)

    def fisher(self, tangent: "TanhNormal") -> "TanhNormal":
        """Fisher's metric: the gradient of a small change's divergence, to second order."""
        return TanhNormal(self.inner.fisher(tangent.inner))


def _log_slope(inner: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """`log d tanh(u) / du`."""
    return 2.0 * (LOG_2 - inner - jax.nn.softplus(-2.0 * inner))


def _mean_square(
    values: Float[Array, "*batch D"], real: Bool[Array, "*batch D"] | None
) -> Float[Array, " *batch"]:
    """The mean of the squares of those that are real: padding does not make it less."""
    if real is None:
        return jnp.mean(values**2, axis=-1)
    return jnp.sum(jnp.where(real, values**2, 0.0), axis=-1) / jnp.maximum(real.sum(axis=-1), 1)


def _flat(each: Float[Array, "*batch K A"]) -> Float[Array, "*batch KA"]:
    return each.reshape(*each.shape[:-2], -1)


Distribution = Categorical | MultiCategorical | Gaussian | TanhNormal | Hybrid


def probabilities(choices: Distribution) -> Float[Array, "*batch A"]:
    """The probability of each of several actions, for methods that have declared "discrete"."""
    assert isinstance(choices, Categorical)
    return jnp.exp(choices.log_probs)
