"""Centralised reference methods: what decentralising costs is measured against them."""

from coterie.centralized.mappo import MAPPO as MAPPO
