"""Loggers of a run while it trains: tables, TensorBoard, W&B, MLflow, or one's own."""

from coterie.training.loggers.logger import Logger as Logger
from coterie.training.loggers.made import LOGGERS as LOGGERS
from coterie.training.loggers.made import made as made
