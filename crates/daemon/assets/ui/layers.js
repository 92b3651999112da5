// Where the programs of a dependency graph stand: each in a column to the right of all that it depends on.

// `nodes` are names, `edges` pairs `[from, to]`: `to` depends on `from`. The answer has for each name its column and its place
// in that column. A circle, which cannot come from one configuration, is cut where it closes.
export function layersOf(nodes, edges) {
  const incoming = new Map(nodes.map((node) => [node, []]));
  const outgoing = new Map(nodes.map((node) => [node, []]));
  for (const [from, to] of edges) {
    incoming.get(to).push(from);
    outgoing.get(from).push(to);
  }
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
  const layers = [];
  for (const node of nodes) {
    (layers[columns.get(node)] ??= []).push(node);
  }
  order(layers.map((layer) => layer ?? []), incoming, outgoing);
  const places = new Map();
  layers.forEach((layer, x) => layer.forEach((node, y) => places.set(node, { x, y, of: layer.length })));
  return { places, height: Math.max(0, ...layers.map((layer) => layer.length)), width: layers.length };
}

// Brings what belongs together to the same height: each stands at the middle of its neighbours, from left to right and back.
function order(layers, incoming, outgoing) {
  for (let round = 0; round < 4; round += 1) {
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
