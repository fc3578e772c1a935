import pluggy

from .bridge import (
    Augmented,
    Bridge,
    CentredBridge,
    Condition,
    CoveringBridge,
    FramingBridge,
    MirroringBridge,
    PartialBridge,
    RelocatingBridge,
    WholeBridge,
)
from .component import (
    Command,
    Component,
    Context,
    DatasetComponent,
    NoSettings,
    PanelComponent,
    SamplerComponent,
    TrainedComponent,
    TrivialComponent,
    deferred,
)
from .dataset import Dataset, MemoryDataset
from .errors import ConfigError, DataError, PluginError, RunError, UserError, did_you_mean
from .grid import LatentGrid
from .metric import Metric, Summary, definitions
from .names import name_bytes, printable
from .observer import Observer, StepRecord, numbers_of
from .optimizer import OptimizerFactory, Schedule
from .panel import Draw, Panel, PanelData, PanelExample
from .progress import Bar, Progress
from .proposal import History, ProposalTerm
from .randomness import Streams, derive, invert
from .record import OWN, Energy, OracleRecord, RoundRecord, RunRecord, SamplerRecord, ScoreRecord
from .sampler import Draws, Sampler, Target
from .setting import setting
from .shards import ShardedDataset
from .task import Batch, DownstreamTask, Prediction, SurrogateTask, Task, UpstreamTask
from .tree import leaves, map_tensors, repeat_rows, select_rows, to_float32

__version__: str
hookimpl: pluggy.HookimplMarker

__all__ = [
    "OWN",
    "Augmented",
    "Bar",
    "Batch",
    "Bridge",
    "CentredBridge",
    "Command",
    "Component",
    "Condition",
    "ConfigError",
    "Context",
    "CoveringBridge",
    "DataError",
    "Dataset",
    "DatasetComponent",
    "DownstreamTask",
    "Draw",
    "Draws",
    "Energy",
    "FramingBridge",
    "History",
    "LatentGrid",
    "MemoryDataset",
    "Metric",
    "MirroringBridge",
    "NoSettings",
    "Observer",
    "OptimizerFactory",
    "OracleRecord",
    "Panel",
    "PanelComponent",
    "PanelData",
    "PanelExample",
    "PartialBridge",
    "PluginError",
    "Prediction",
    "Progress",
    "ProposalTerm",
    "RelocatingBridge",
    "RoundRecord",
    "RunError",
    "RunRecord",
    "Sampler",
    "SamplerComponent",
    "SamplerRecord",
    "Schedule",
    "ScoreRecord",
    "ShardedDataset",
    "StepRecord",
    "Streams",
    "Summary",
    "SurrogateTask",
    "Target",
    "Task",
    "TrainedComponent",
    "TrivialComponent",
    "UpstreamTask",
    "UserError",
    "WholeBridge",
    "__version__",
    "deferred",
    "definitions",
    "derive",
    "did_you_mean",
    "hookimpl",
    "invert",
    "leaves",
    "map_tensors",
    "name_bytes",
    "numbers_of",
    "printable",
    "repeat_rows",
    "select_rows",
    "setting",
    "to_float32",
]
