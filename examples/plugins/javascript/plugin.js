// by-label: prefers the nodes whose label says most.

/** The label's column, from 0: the first behind Gantry's four default resources. */
const COLUMN = 4;

/** What is kept of the cluster: labels by row, and the numbers of the domain classes. */
let cluster = null;

/** A row's label in a column of rows times resources. */
const label = (matrix, row, resources) => (COLUMN < resources ? matrix[row * resources + COLUMN] : 0);

export const scheduler = {
  describe: () => ({
    name: "by-label",
    version: "0.1.0",
    extensionPoints: { filter: false, score: true, plan: false },
    settingsSchema: '{"type": "object", "additionalProperties": false}',
  }),

  configure(settings) {
    if (!["", "{}"].includes(settings.trim())) {
      throw { key: "", value: settings, message: "there are no settings" };
    }
  },

  pushSnapshot({ generation, rows, resources, allocatable, classes }) {
    const labels = Array.from({ length: rows }, (_, row) => label(allocatable, row, resources));
    cluster = { generation, resources, labels, classes: new Set(classes.map(({ id }) => id)) };
  },

  applyDelta({ base, generation, changed, allocatable, classes }) {
    if (cluster?.generation !== base) throw "wrong-generation";
    changed.forEach((row, place) => (cluster.labels[row] = label(allocatable, place, cluster.resources)));
    classes.forEach(({ id }) => cluster.classes.add(id));
    cluster.generation = generation;
  },

  score(pod) {
    if (cluster === null) throw "no-snapshot";
    if (!cluster.classes.has(pod.class)) throw "unknown-class";
    const most = cluster.labels.reduce((most, label) => Math.max(most, label), Number.MIN_VALUE);
    return cluster.labels.map((label) => (label / most) * 100);
  },

  // Not among the extension points of `describe`, so never called.
  filter: () => [],
  plan: () => {
    throw "no-snapshot";
  },
};
