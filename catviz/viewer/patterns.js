// The patterns: reading the payload (see payload.py), and sums over heads, rows and roles.
//
// A "cell" is a token, or a few neighbours of a long text. Heads are counted layer by layer.

const FORMAT = 1;

async function inflate(bytes) {
  if (typeof DecompressionStream === "undefined") {
    throw new Error("this browser is too old to unpack the patterns");
  }
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Response(stream).arrayBuffer();
}

function bytesOfBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

class Patterns {
  static async read(meta, bytes) {
    if (meta.format !== FORMAT) throw new Error("the patterns are of another version of catviz");
    return new Patterns(meta, await inflate(bytes));
  }

  constructor(meta, buffer) {
    this.meta = meta;
    this.tokens = meta.tokens;
    this.size = meta.tokens.length;
    this.starts = meta.starts;
    this.cells = meta.starts.length;
    this.nStates = meta.states.length;
    this.nHeads = meta.layers.length * meta.heads.length;
    this.isJoined = this.cells < this.size;
    this.parts = {};
    const views = { float32: Float32Array, uint16: Uint16Array, uint8: Uint8Array };
    let offset = 0;
    for (const [name, type, length] of meta.parts) {
      this.parts[name] = new views[type](buffer, offset, length);
      offset += this.parts[name].byteLength;
    }
    this.shares = Float32Array.from({ length: 256 }, (_, code) => (code / meta.levels) ** 2);
    this.roles = new Array(this.size).fill("other");
    this.wordOf = new Array(this.size).fill(null);
    this.words = meta.words.map(([start, stop, label, role]) => ({ start, stop, label, role }));
    for (const word of this.words) {
      this.roles.fill(word.role, word.start, word.stop);
      this.wordOf.fill(word, word.start, word.stop);
    }
    this.cellOf = new Int32Array(this.size);
    this.starts.forEach((start, cell) => this.cellOf.fill(cell, start, this.stop(cell)));
    this.hasRoles = this.roles.some((role) => role !== "other");
    this.rolesHere = ROLES.filter((role) => this.roles.includes(role));
  }

  stop(cell) {
    return cell + 1 < this.cells ? this.starts[cell + 1] : this.size;
  }

  place(head) {
    const { heads } = this.meta;
    return [Math.floor(head / heads.length), head % heads.length];
  }

  headName(head) {
    const [layer, column] = this.place(head);
    return `L${this.meta.layers[layer]}H${this.meta.heads[column]}`;
  }

  rest(state, head, row) {
    return (this.parts[`rest${state}`][head * this.cells + row] / 65535) ** 2;
  }

  // Adds one row of one head to target[at + cell].
  addRow(target, at, state, sink, head, row) {
    const values = this.parts[`values${state}`];
    if (values) {
      const base = head * triangle(this.cells) + triangle(row);
      let factor = 1;
      if (sink === "renormalised") {
        let sum = 0;
        for (let c = 1; c <= row; c++) sum += values[base + c];
        factor = sum > 1e-9 ? 1 / sum : 0;
      }
      const first = sink === "in" ? 0 : 1;
      for (let c = first; c <= row; c++) target[at + c] += factor * values[base + c];
      return;
    }
    const rest = this.rest(state, head, row);
    if (sink === "in" && this.meta.sink === "in") target[at] += 1 - rest;
    const factor = sink === "renormalised" ? +(rest > 1e-9) : rest;
    const codes = this.parts[`codes${state}`];
    const base = head * triangle(this.cells - 1) + triangle(row - 1) - 1;
    for (let c = 1; c <= row; c++) target[at + c] += factor * this.shares[codes[base + c]];
  }

  // The most by which a value that addRow gives can be wrong.
  errorAt(state, sink, head, row, cell) {
    if (this.parts[`values${state}`] || (cell === 0 && sink !== "in")) return 0;
    const code = this.parts[`rest${state}`][head * this.cells + row];
    const restError = (code + 0.25) / 65535 ** 2;
    if (cell === 0) return this.meta.sink === "in" ? restError + this.meta.sumError : 0;
    const at = head * triangle(this.cells - 1) + triangle(row - 1) + cell - 1;
    const share = this.parts[`codes${state}`][at];
    const shareError = (share + 0.25) / this.meta.levels ** 2;
    if (sink === "renormalised") return shareError;
    return this.rest(state, head, row) * shareError + this.shares[share] * restError;
  }

  // The mean map of heads. With one head and with one token a cell nothing is lost but bits.
  meanMap(state, sink, heads) {
    if (heads.length === this.nHeads && sink !== "renormalised" && this.meta.hasMean) {
      const values = this.parts[`mean${state}`].slice();
      if (sink === "out") for (let r = 0; r < this.size; r++) values[triangle(r)] = 0;
      return { size: this.size, values, isExact: true };
    }
    const values = new Float32Array(triangle(this.cells));
    for (const head of heads) {
      for (let r = 0; r < this.cells; r++) this.addRow(values, triangle(r), state, sink, head, r);
    }
    for (let i = 0; i < values.length; i++) values[i] /= heads.length;
    return { size: this.cells, values, isExact: !this.meta.levels };
  }

  // One token's row in the mean of heads, token by token, where it is known exactly; else null.
  exactRow(state, sink, heads, token) {
    const row = new Float64Array(this.size);
    if (!this.meta.levels) {
      for (const head of heads) this.addRow(row, 0, state, sink, head, token);
    } else {
      const at = this.meta.exactRows.indexOf(token);
      if (at < 0) return null;
      const rows = this.parts[`rows${state}`];
      for (const head of heads) {
        const base = (at * this.nHeads + head) * this.size;
        let factor = 1;
        if (sink === "renormalised") {
          let sum = 0;
          for (let c = 1; c <= token; c++) sum += rows[base + c];
          factor = sum > 1e-9 ? 1 / sum : 0;
        }
        for (let c = sink === "in" ? 0 : 1; c <= token; c++) row[c] += factor * rows[base + c];
      }
    }
    return row.map((value) => value / heads.length);
  }

  // What a token's row pays to each role, (head, role), as exactly as it is known.
  roleMasses(state, sink, token) {
    const masses = new Float64Array(this.nHeads * ROLES.length);
    const roleOfToken = this.roles.map((role) => ROLES.indexOf(role));
    const roleOfCell = this.starts.map((start) => roleOfToken[start]);
    const cell = this.cellOf[token];
    const scratch = new Float64Array(this.cells);
    for (let head = 0; head < this.nHeads; head++) {
      let row = this.exactRow(state, sink, [head], token);
      const roleOf = row ? roleOfToken : roleOfCell;
      if (!row) {
        scratch.fill(0);
        this.addRow(scratch, 0, state, sink, head, cell);
        row = scratch;
      }
      for (let c = 0; c < row.length; c++) masses[head * ROLES.length + roleOf[c]] += row[c];
    }
    return masses;
  }

  // Small pictures of all heads: side x side values each, NaN where nothing can be seen.
  thumbnails(state, sink, side, columnOf) {
    const { cells } = this;
    const sums = new Float32Array(this.nHeads * side * side);
    const counts = new Int32Array(side * side);
    const bin = Int32Array.from(columnOf, (column) => Math.floor((column * side) / cells));
    const scratch = new Float64Array(cells);
    for (let r = 0; r < cells; r++) {
      const line = Math.floor((r * side) / cells) * side;
      for (let c = 0; c <= r; c++) counts[line + bin[c]] += 1;
      for (let head = 0; head < this.nHeads; head++) {
        scratch.fill(0, 0, r + 1);
        this.addRow(scratch, 0, state, sink, head, r);
        const base = head * side * side + line;
        for (let c = 0; c <= r; c++) sums[base + bin[c]] += scratch[c];
      }
    }
    for (let i = 0; i < sums.length; i++) sums[i] /= counts[i % counts.length]; // 0 / 0 is NaN
    return sums;
  }
}
