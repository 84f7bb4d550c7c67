"""Unit micromanagement after StarCraft II: maps, units, and the battle itself."""

from coterie.envs.skirmish.skirmish import Skirmish as Skirmish
