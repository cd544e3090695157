"""by-label: prefers the nodes whose label says most."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.types import ConfigError, Error, ExtensionPoints, PluginInfo

# The label's column, from 0: the first behind Gantry's four default resources.
COLUMN = 4


class Cluster:
    """What is kept of the cluster: labels by row, and the numbers of the domain classes."""

    generation = None


class Scheduler(exports.Scheduler):
    """A new one answers every call: what is to be kept belongs to the module."""

    def describe(self):
        schema = '{"type": "object", "additionalProperties": false}'
        return PluginInfo("by-label", "0.1.0", ExtensionPoints.SCORE, schema)

    def configure(self, settings):
        if settings.strip() not in ("", "{}"):
            raise Err(ConfigError("", settings, "there are no settings"))

    def push_snapshot(self, snapshot):
        has_label = COLUMN < snapshot.resources
        Cluster.resources = snapshot.resources
        Cluster.labels = snapshot.allocatable[COLUMN :: snapshot.resources] if has_label else [0.0] * snapshot.rows
        Cluster.classes = {domain_class.id for domain_class in snapshot.classes}
        Cluster.generation = snapshot.generation

    def apply_delta(self, delta):
        if Cluster.generation != delta.base:
            raise Err(Error.WRONG_GENERATION)
        if COLUMN < Cluster.resources:
            for row, label in zip(delta.changed, delta.allocatable[COLUMN :: Cluster.resources]):
                Cluster.labels[row] = label
        Cluster.classes.update(domain_class.id for domain_class in delta.classes)
        Cluster.generation = delta.generation

    def score(self, pod):
        if Cluster.generation is None:
            raise Err(Error.NO_SNAPSHOT)
        if pod.class_ not in Cluster.classes:
            raise Err(Error.UNKNOWN_CLASS)
        most = max(Cluster.labels, default=0.0) or 1.0
        return [label / most * 100.0 for label in Cluster.labels]

    # Not among the extension points of `describe`, so never called.
    def filter(self, pod):
        raise Err(Error.NO_SNAPSHOT)

    def plan(self, pods, budget, seed):
        raise Err(Error.NO_SNAPSHOT)
