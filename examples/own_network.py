"""A network of one's own: convolutions of a grid, with a way past them.

coterie train ippo examples.own_environment:Meadow --steps 200000 --critic cnn \
    --actor examples.own_network:Residual --actor.blocks 3
"""

from dataclasses import dataclass
from typing import Annotated

import equinox as eqx
import jax

import coterie
from coterie.bounds import AtLeast
from coterie.rl.layers import Convolution, Dense
from coterie.rl.models import Inputs


@dataclass(frozen=True)
class Residual(coterie.Model):
    """Blocks `x + relu(convolution(x))` of an image, then a dense layer (He et al. 2016)."""

    channels: Annotated[int, AtLeast(1)] = 8
    """Channels of the image between the blocks."""
    blocks: Annotated[int, AtLeast(1)] = 2
    """How many blocks."""
    features: Annotated[int, AtLeast(1)] = 32
    """Width of the dense layer."""

    def build(self, key: jax.Array, inputs: Inputs) -> "ResidualBody":
        height, width, depth = inputs.shape
        first, last, *keys = jax.random.split(key, self.blocks + 2)
        lift = Convolution.init(first, 1, depth, self.channels)
        blocks = tuple(Convolution.init(k, 3, self.channels, self.channels) for k in keys)
        outer = Dense.init(last, height * width * self.channels, self.features, 2.0**0.5)
        return ResidualBody(lift, blocks, outer, inputs.shape)


class ResidualBody(coterie.Body):
    """What `Residual` builds: its arrays are what is learned."""

    lift: Convolution
    blocks: tuple[Convolution, ...]
    outer: Dense
    image: tuple[int, ...] = eqx.field(static=True)

    @property
    def width(self) -> int:
        return self.outer.bias.size

    def step(self, x: jax.Array, memory: tuple[()]) -> tuple[jax.Array, tuple[()]]:
        images = self.lift(x.reshape(-1, *self.image))
        for block in self.blocks:
            images = images + jax.nn.relu(block(images))
        return jax.nn.relu(self.outer(images.reshape(*x.shape[:-1], -1))), memory
