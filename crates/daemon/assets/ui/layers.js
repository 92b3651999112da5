// Where the programs of a dependency graph stand: each in a column to the right of all that it depends on. An edge that leads past
// a column has a place in it as well, so that it goes between the programs and not behind them.

// How high the place of an edge is, beside that of a program.
const LANE = 0.4;

// `nodes` are names, `edges` pairs `[from, to]`: `to` depends on `from`. The answer has for each name its `places`: its column and its
// height in that column, which is `of` high, in places of a program; and for each edge in `lanes` the places between its ends. A
// circle, which cannot come from one configuration, is cut where it closes.
export function layersOf(nodes, edges) {
  const columns = columnsOf(nodes, edges);
  const layers = [];
  const incoming = new Map();
  const outgoing = new Map();
  const add = (item, column) => {
    (layers[column] ??= []).push(item);
    incoming.set(item, []);
    outgoing.set(item, []);
  };
  const join = (from, to) => {
    outgoing.get(from).push(to);
    incoming.get(to).push(from);
  };
  nodes.forEach((node) => add(node, columns.get(node)));
  const passed = edges.map(([from, to]) => {
    const lanes = [];
    for (let column = columns.get(from) + 1; column < columns.get(to); column += 1) {
      const lane = { from, to, column };
      add(lane, column);
      lanes.push(lane);
    }
    [from, ...lanes].forEach((item, index) => join(item, lanes[index] ?? to));
    return lanes;
  });
  const filled = Array.from(layers, (layer) => layer ?? []);
  order(filled, incoming, outgoing);
  const places = new Map();
  filled.forEach((layer, x) => {
    const sizes = layer.map(sizeOf);
    const of = sizes.reduce((sum, size) => sum + size, 0);
    let y = 0;
    layer.forEach((item, index) => {
      places.set(item, { x, y, of, size: sizes[index] });
      y += sizes[index];
    });
  });
  const height = Math.max(0, ...[...places.values()].map(({ of }) => of));
  return { places, lanes: passed.map((lanes) => lanes.map((lane) => places.get(lane))), height, width: filled.length };
}

const sizeOf = (item) => (typeof item === 'string' ? 1 : LANE);

function columnsOf(nodes, edges) {
  const incoming = new Map(nodes.map((node) => [node, []]));
  edges.forEach(([from, to]) => incoming.get(to).push(from));
  const columns = new Map();
  const visiting = new Set();
  const column = (node) => {
    if (columns.has(node) || visiting.has(node)) {
      return columns.get(node) ?? 0;
    }
    visiting.add(node);
    const value = Math.max(-1, ...incoming.get(node).map(column)) + 1;
    visiting.delete(node);
    columns.set(node, value);
    return value;
  };
  nodes.forEach(column);
  return columns;
}

// Brings what belongs together to the same height: each stands at the middle of its neighbours, from left to right and back.
function order(layers, incoming, outgoing) {
  for (let round = 0; round < 6; round += 1) {
    const isForward = round % 2 === 0;
    const sequence = isForward ? layers : [...layers].reverse();
    const neighbours = isForward ? incoming : outgoing;
    const heights = new Map();
    for (const layer of sequence) {
      const middle = (node, index) => {
        const known = neighbours.get(node).map((other) => heights.get(other)).filter((height) => height !== undefined);
        return known.length > 0 ? known.reduce((sum, height) => sum + height, 0) / known.length : (index + 0.5) / layer.length;
      };
      const weights = new Map(layer.map((node, index) => [node, middle(node, index)]));
      layer.sort((one, other) => weights.get(one) - weights.get(other));
      layer.forEach((node, index) => heights.set(node, (index + 0.5) / layer.length));
    }
  }
}
