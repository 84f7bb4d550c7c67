"""Who is told what happens while a run trains: tables, TensorBoard, W&B, MLflow, or one's own."""

from coterie.train.loggers.logger import Logger as Logger
from coterie.train.loggers.made import LOGGERS as LOGGERS
from coterie.train.loggers.made import made as made
