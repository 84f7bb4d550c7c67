"""The environments of MAAC once more, in plain NumPy: one thing after another, to compare with."""

import numpy as np

DIRECTIONS = np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]], float)


def move(position, velocity, push, radius, mass, solid):
    """One step of the discs; `push` is 1 long, and the world multiplies it by 1.5 twice."""
    number = len(position)
    force = np.array([mass[i] * 1.5 * (1.5 * push[i]) for i in range(number)])
    for a in range(number):
        for b in range(a + 1, number):
            if not solid:
                continue
            gap = position[a] - position[b]
            distance = np.sqrt(gap @ gap)
            depth = 1e-3 * np.logaddexp(0, (radius[a] + radius[b] - distance) / 1e-3)
            contact = 100 * depth * gap / distance
            force[a] += mass[b] / mass[a] * contact
            force[b] -= mass[a] / mass[b] * contact
    velocity = [0.75 * v + 0.1 * f / m for v, f, m in zip(velocity, force, mass, strict=True)]
    slowed = [v / max(1.0, np.hypot(*v)) for v in velocity]
    return np.array([p + 0.1 * v for p, v in zip(position, slowed, strict=True)]), np.array(slowed)


class Hunt:
    """A hunt of `hunters` and `banks`. `load[i]` and `colour[j]` are numbers of banks or None."""

    def __init__(self, hunters, banks, position, velocity, treasure, color, lying, load, away):
        self.hunters, self.banks = range(hunters), range(banks)
        self.position, self.velocity = np.array(position), np.array(velocity)
        self.treasure, self.color = np.array(treasure), list(color)
        self.lying, self.load, self.away = list(lying), list(load), away
        self.radius = [0.05] * hunters + [0.075] * banks
        self.mass = [1.0] * hunters + [2.25] * banks

    def move(self, push):
        self.position, self.velocity = move(
            self.position, self.velocity, push, self.radius, self.mass, True
        )

    def apart(self, a, b):
        return float(np.linalg.norm(self.position[a] - self.position[b]))

    def bank(self, number):
        return len(self.hunters) + number

    def to_treasure(self, agent, treasure):
        return float(np.linalg.norm(self.position[agent] - self.treasure[treasure]))

    def touch(self, a, b):
        return self.apart(a, b) < self.radius[a] + self.radius[b]

    def touches_treasure(self, hunter, treasure):
        return self.to_treasure(hunter, treasure) < 0.05 + 0.025

    def bumps(self, hunter):
        return sum(self.touch(hunter, other) for other in self.hunters if other != hunter)

    def found(self):
        total = 0
        for treasure in range(len(self.treasure)):
            for hunter in self.hunters:
                if self.load[hunter] is None and self.touches_treasure(hunter, treasure):
                    total += self.lying[treasure]
        return total

    def brought(self):
        return sum(
            self.touch(hunter, self.bank(bank))
            for bank in self.banks
            for hunter in self.hunters
            if self.load[hunter] == bank
        )

    def errand(self, hunter, only_lying):
        if self.load[hunter] is not None:
            return self.apart(hunter, self.bank(self.load[hunter]))
        open_ones = [t for t in range(len(self.treasure)) if self.lying[t] or not only_lying]
        return min((self.to_treasure(hunter, t) for t in open_ones), default=0.0)

    def wait(self, bank):
        carriers = [hunter for hunter in self.hunters if self.load[hunter] == bank]
        if carriers:
            return min(self.apart(self.bank(bank), hunter) for hunter in carriers)
        ways = [self.position[hunter] - self.position[self.bank(bank)] for hunter in self.hunters]
        return float(np.linalg.norm(np.mean(ways, axis=0)))

    def rewards_of_maac(self):
        shared = 5 * self.found() + 5 * self.brought()
        hunters = [-5 * self.bumps(h) - 0.1 * self.errand(h, False) + shared for h in self.hunters]
        return hunters + [-0.1 * self.wait(bank) + shared for bank in self.banks]

    def rewards_of_matrpo(self):
        banks = []
        for bank in self.banks:
            reward = -0.1 * self.wait(bank) + 5 * self.brought()
            for hunter in self.hunters:
                reward -= 0.1 * self.errand(hunter, True)
                reward += 5 * self.found() + 5 * self.brought()
            banks.append(reward)
        return [-5.0 * self.bumps(hunter) for hunter in self.hunters] + banks

    def one_hot(self, bank):
        return [float(bank == other) for other in self.banks]

    def sees(self, agent):
        hunts = agent in self.hunters
        seen = [*self.position[agent], *self.velocity[agent]]
        seen += self.one_hot(self.load[agent]) if hunts else []
        others = [other for other in range(len(self.position)) if other != agent]
        for _, other in sorted((self.apart(agent, other), other) for other in others):
            seen += [*(self.position[other] - self.position[agent]), *self.velocity[other]]
            hunter = other in self.hunters
            seen += self.one_hot(None if hunter else other - len(self.hunters))
            seen += self.one_hot(self.load[other] if hunter else None)
        treasures = range(len(self.treasure))
        for _, treasure in sorted((self.to_treasure(agent, t), t) for t in treasures):
            seen += [*(self.treasure[treasure] - self.position[agent])]
            seen += self.one_hot(self.color[treasure])
        return seen + ([] if hunts else [0.0] * len(self.banks))

    def hand_over(self):
        """Afterwards; tells which treasures come back, at places that are not known here."""
        back = []
        for treasure in range(len(self.treasure)):
            if not self.lying[treasure]:
                back.append(treasure)
                self.lying[treasure] = True
                continue
            for hunter in self.hunters:
                if self.load[hunter] is None and self.touches_treasure(hunter, treasure):
                    self.load[hunter] = self.color[treasure]
                    self.lying[treasure] = False
                    break
        for treasure in range(len(self.treasure)):
            if not self.lying[treasure]:
                self.treasure[treasure] = [self.away, self.away]
        for hunter in self.hunters:
            for bank in self.banks:
                if self.load[hunter] == bank and self.touch(hunter, self.bank(bank)):
                    self.load[hunter] = None
                    break
        return back


class Pairs:
    """Rovers and towers. `tower_of[i]` is the tower that rover `i` listens to."""

    def __init__(self, position, velocity, goal, tower_of):
        self.position, self.velocity = np.array(position), np.array(velocity)
        self.goal, self.tower_of = np.array(goal), list(tower_of)
        self.said = [None] * len(self.tower_of)

    def step(self, push, said):
        ones = [1.0] * len(push)
        self.position, self.velocity = move(self.position, self.velocity, push, ones, ones, False)
        self.said = list(said)

    def rewards(self):
        rovers = []
        for here, there in zip(self.position, self.goal, strict=True):
            square = float(sum((here - there) ** 2))
            rovers.append(10 - square if square < 1.5 * (0.075 + 0.04) else -square)
        return rovers + [rovers[self.tower_of.index(j)] for j in range(len(rovers))]

    def sees(self):
        number = len(self.tower_of)
        rows = []
        for i, tower in enumerate(self.tower_of):
            heard = [float(self.said[tower] == word) for word in range(5)]
            index = [float(tower == other) for other in range(number)]
            rows.append([*index, *heard, *self.position[i], *self.velocity[i]])
        for j in range(number):
            rover = self.tower_of.index(j)
            index = [float(rover == other) for other in range(number)]
            rows.append([*index, *self.position[rover], *self.goal[rover], *[0.0] * 5])
        return rows
