// Inference with onnxruntime, through its package for Node.js. Networks and jobs are those of jobs/networks.cpp,
// jobs/images.cpp and jobs/transformers.cpp, with the same weights and inputs; the protocol is that of worker.hpp.
import { createRequire } from 'node:module';
import path from 'node:path';
import { createInterface } from 'node:readline';

const require = createRequire(import.meta.url);
const main = require.resolve('onnxruntime-node');
const { Tensor } = require('onnxruntime-node');
// The binding computes without a turn of the event loop, which costs more than a small network.
const { binding, initOrt } = require(path.join(path.dirname(main), 'binding.js'));
initOrt();
const version = require(path.join(path.dirname(main), '..', 'package.json')).version;

// ---- inputs and digests by the rules of inputs.hpp and digest.hpp

function scramble(x) {
  const mask = 0xFFFFFF;
  x = Math.imul(x & mask, 0x9E3779B1) & mask;
  x = Math.imul(x ^ (x >> 11), 0x85EBCA6B) & mask;
  x = Math.imul(x ^ (x >> 13), 0xC2B2AE35) & mask;
  return x ^ (x >> 12);
}

const product = (shape) => shape.reduce((a, b) => a * b, 1);

// Values in (0, 1].
const positive = (count, seed) =>
  Float32Array.from({ length: count }, (_, i) => (scramble(i + Math.imul(seed, 7368787)) + 1) * 2 ** -24);
const values = (count, seed, scale = 1) => positive(count, seed).map((v) => (2 * v - 1) * Math.fround(scale));
// The weight of a network at a position among its parameters. Its shape is [..., in, out].
const weight = (shape, position) =>
  values(product(shape), 100 + position, Math.sqrt(3 * shape.at(-1) / product(shape)));

// The elements of a tensor with its axes in another order.
function transpose(data, shape, order) {
  const strides = shape.map((_, axis) => product(shape.slice(axis + 1)));
  const out = new Float32Array(data.length), index = order.map(() => 0);
  for (let i = 0; i < out.length; ++i) {
    out[i] = data[order.reduce((at, axis, k) => at + index[k] * strides[axis], 0)];
    for (let k = order.length - 1; k >= 0 && ++index[k] === shape[order[k]]; --k) index[k] = 0;
  }
  return out;
}

function projectionWeight(index) {
  const wrap = (x) => BigInt.asUintN(64, x);
  let x = wrap(BigInt(index) + 0x9E3779B97F4A7C15n);
  x = wrap((x ^ (x >> 30n)) * 0xBF58476D1CE4E5B9n);
  x = wrap((x ^ (x >> 27n)) * 0x94D049BB133111EBn);
  return Number(BigInt.asIntN(64, x ^ (x >> 31n))) * 2 ** -63;
}

function digest(data) {
  let projection = 0, squares = 0;
  data.forEach((value, i) => {
    projection += projectionWeight(i) * value;
    squares += value * value;
  });
  return `${data.length} ${projection} ${Math.sqrt(squares)}`;
}

// ---- ONNX models: protocol buffers with the field numbers of onnx.proto

const varint = (n) => {
  const out = [];
  for (let x = BigInt.asUintN(64, BigInt(n)); ; x >>= 7n) {
    if (x < 128n) return Buffer.from([...out, Number(x)]);
    out.push(Number(x & 127n) | 128);
  }
};
const number = (field, n) => Buffer.concat([varint(field << 3), varint(n)]);
const bytes = (field, data) => {
  const content = typeof data === 'string' ? Buffer.from(data) : data;
  return Buffer.concat([varint((field << 3) | 2), varint(content.length), content]);
};
const message = (field, ...parts) => bytes(field, Buffer.concat(parts));
const float = (field, x) => {
  const out = Buffer.alloc(4);
  out.writeFloatLE(x);
  return Buffer.concat([varint((field << 3) | 5), out]);
};

const FLOAT = 1, INT64 = 7;  // TensorProto.DataType

function attribute(name, value) {
  const of = (type, ...content) => message(5, bytes(1, name), ...content, number(20, type));
  if (Array.isArray(value)) return of(7, ...value.map((n) => number(8, n)));
  return Number.isInteger(value) ? of(2, number(3, value)) : of(1, float(2, value));
}

const declaration = (field, name, shape) =>
  message(field, bytes(1, name),
    message(2, message(1, number(1, FLOAT), message(2, ...shape.map((n) => message(1, number(1, n)))))));

// Builds a model with one input "x" and one output "y".
class Network {
  parts = [];
  names = 0;
  parameters = 0;  // trainable ones in the order of xgrad's layers, which determines their values

  tensor(data, shape) {
    const name = `t${this.names++}`;
    const type = data instanceof Float32Array ? FLOAT : INT64;
    this.parts.push(message(5, ...shape.map((n) => number(1, n)), number(2, type), bytes(8, name),
      bytes(9, Buffer.from(data.buffer, data.byteOffset, data.byteLength))));
    return name;
  }
  ints(list) { return this.tensor(BigInt64Array.from(list.map(BigInt)), [list.length]); }
  scalar(x) { return this.tensor(Float32Array.of(x), []); }
  fill(count, x) { return this.tensor(new Float32Array(count).fill(x), [count]); }

  node(type, inputs, attributes = {}, outputs = 1) {
    const out = Array.from({ length: outputs }, () => `t${this.names++}`);
    this.parts.push(message(1, ...inputs.map((i) => bytes(1, i)), ...out.map((o) => bytes(2, o)), bytes(4, type),
      ...Object.entries(attributes).map(([name, value]) => attribute(name, value))));
    return outputs === 1 ? out[0] : out;
  }

  // `order` permutes the rows of the weights, whose axes are `rows`.
  dense(x, rows, columns, order) {
    const count = product(rows);
    let w = weight([count, columns], this.parameters);
    if (order) w = transpose(w, [...rows, columns], [...order, rows.length]);
    this.parameters += 2;
    return this.node('Gemm', [x, this.tensor(w, [count, columns]), this.fill(columns, 0)]);
  }
  // Of x [batch, length, in].
  project(x, rows, columns) {
    const w = this.tensor(weight([rows, columns], this.parameters), [rows, columns]);
    this.parameters += 2;
    return this.node('Add', [this.node('MatMul', [x, w]), this.fill(columns, 0)]);
  }
  conv(x, from, to, window, { stride = 1, padding = 0, bias = false } = {}) {
    const w = transpose(weight([window, window, from, to], this.parameters), [window, window, from, to], [3, 2, 0, 1]);
    this.parameters += bias ? 2 : 1;
    return this.node('Conv', [x, this.tensor(w, [to, from, window, window]), ...(bias ? [this.fill(to, 0)] : [])],
      { strides: [stride, stride], pads: Array(4).fill(padding) });
  }
  batchNorm(x, channels) {
    this.parameters += 2;
    return this.node('BatchNormalization', [x, ...[1, 0, 0, 1].map((v) => this.fill(channels, v))], { epsilon: 1e-3 });
  }
  layerNorm(x, width) {
    this.parameters += 2;
    return this.node('LayerNormalization', [x, this.fill(width, 1), this.fill(width, 0)], { axis: -1, epsilon: 1e-3 });
  }
  relu(x) { return this.node('Relu', [x]); }
  maxPool(x) { return this.node('MaxPool', [x], { kernel_shape: [2, 2], strides: [2, 2] }); }
  reshape(x, shape) { return this.node('Reshape', [x, this.ints(shape)]); }

  model(y, from, to) {
    this.parts.push(message(1, bytes(1, y), bytes(2, 'y'), bytes(4, 'Identity')));
    const graph = message(7, ...this.parts, bytes(2, 'network'), declaration(11, 'x', from), declaration(12, 'y', to));
    return Buffer.concat([number(1, 8), graph, message(8, bytes(1, ''), number(2, 17))]);
  }
}

const classes = 10;
const classifier = (net, logits, from) =>
  net.model(net.node('Softmax', [logits], { axis: 1 }), from, [from[0], classes]);

// `units` with batch normalization after each hidden layer or without.
function denseNet(batch, units, normalized) {
  const net = new Network();
  let x = 'x', from = 784;
  for (const n of units) {
    x = net.relu(net.dense(x, [from], n));
    if (normalized) x = net.batchNorm(x, n);
    from = n;
  }
  return classifier(net, net.dense(x, [from], classes), [batch, 784]);
}

function lenet(batch) {
  const net = new Network();
  let x = net.reshape('x', [batch, 1, 28, 28]);
  x = net.maxPool(net.relu(net.conv(x, 1, 20, 5, { bias: true })));
  x = net.maxPool(net.relu(net.conv(x, 20, 50, 5, { bias: true })));
  x = net.relu(net.dense(net.node('Flatten', [x]), [4, 4, 50], 128, [2, 0, 1]));
  return classifier(net, net.dense(x, [128], classes), [batch, 784]);
}

function resnet(batch) {
  const net = new Network();
  const same = { padding: 1 };
  let x = net.relu(net.batchNorm(net.conv('x', 3, 16, 3, same), 16)), from = 16;
  for (const [to, stride] of [[16, 1], [16, 1], [16, 1], [32, 2], [32, 1], [32, 1], [64, 2], [64, 1], [64, 1]]) {
    // The positions of parameters: first, its normalization, second, its normalization, shortcut, its normalization.
    const first = net.relu(net.batchNorm(net.conv(x, from, to, 3, { stride, padding: 1 }), to));
    const second = net.batchNorm(net.conv(first, to, to, 3, same), to);
    const shortcut = stride === 1 ? x : net.batchNorm(net.conv(x, from, to, 1, { stride }), to);
    x = net.relu(net.node('Add', [second, shortcut]));
    from = to;
  }
  x = net.node('Flatten', [net.node('GlobalAveragePool', [x])]);
  return classifier(net, net.dense(x, [64], classes), [batch, 3, 32, 32]);
}

function transformer(batch) {
  const width = 256, heads = 4, length = 64, depth = width / heads;
  const net = new Network();
  const normalized = net.layerNorm('x', width);
  const all = net.project(normalized, width, 3 * width);
  const axes = net.node('Transpose', [net.reshape(all, [batch, length, 3, heads, depth])], { perm: [2, 0, 3, 1, 4] });
  const [q, k, v] = net.node('Split', [axes], { axis: 0 }, 3)
    .map((part) => net.reshape(part, [batch, heads, length, depth]));
  const mask = Float32Array.from({ length: length * length }, (_, i) => (i % length > i / length ? -1e30 : 0));
  const scores = net.node('MatMul', [q, net.node('Transpose', [k], { perm: [0, 1, 3, 2] })]);
  const scaled = net.node('Mul', [scores, net.scalar(1 / Math.sqrt(depth))]);
  const weights = net.node('Softmax', [net.node('Add', [scaled, net.tensor(mask, [length, length])])], { axis: -1 });
  const mixed = net.node('Transpose', [net.node('MatMul', [weights, v])], { perm: [0, 2, 1, 3] });
  const y = net.node('Add', ['x', net.project(net.reshape(mixed, [batch, length, width]), width, width)]);
  const up = net.project(net.layerNorm(y, width), width, 4 * width);
  const erf = net.node('Erf', [net.node('Mul', [up, net.scalar(Math.SQRT1_2)])]);
  const gelu = net.node('Mul', [net.node('Mul', [up, net.node('Add', [erf, net.scalar(1)])]), net.scalar(0.5)]);
  const shape = [batch, length, width];
  return net.model(net.node('Add', [y, net.project(gelu, 4 * width, width)]), shape, shape);
}

// ---- jobs

const threads = Number(process.argv[2]);
const jobs = {};
function job(name, model, from, to, x) {
  jobs[name] = () => {
    const session = new binding.InferenceSession();
    const file = model();
    session.loadModel(file.buffer, file.byteOffset, file.byteLength, {
      intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all',
    });
    const feeds = { x: new Tensor('float32', x(), from) };
    const fetches = { y: new Tensor('float32', new Float32Array(product(to)), to) };
    return () => session.run(feeds, fetches, {}).y.data;
  };
}
for (const batch of [1, 128, 1024])
  job(`infer/mnist/${batch}`, () => denseNet(batch, [64, 64, 64], true), [batch, 784], [batch, classes],
    () => positive(batch * 784, 0));
job('infer/wide/256', () => denseNet(256, [1024, 1024, 1024], false), [256, 784], [256, classes],
  () => positive(256 * 784, 0));
job('infer/mlp/8192', () => denseNet(8192, [256, 256], false), [8192, 784], [8192, classes],
  () => positive(8192 * 784, 0));
for (const batch of [1, 128])
  job(`infer/lenet/${batch}`, () => lenet(batch), [batch, 784], [batch, classes], () => positive(batch * 784, 0));
for (const batch of [1, 32]) {
  job(`infer/resnet-20/${batch}`, () => resnet(batch), [batch, 3, 32, 32], [batch, classes],
    () => transpose(values(batch * 32 * 32 * 3, 0), [batch, 32, 32, 3], [0, 3, 1, 2]));
}
for (const batch of [1, 16]) {
  const shape = [batch, 64, 256];
  job(`infer/transformer-1/${batch}`, () => transformer(batch), shape, shape, () => values(product(shape), 0));
}

// ---- the protocol

// As in worker.cpp: nanoseconds per repetition, one value per sample of about 0.2 ms, after a warm-up.
function measure(once, milliseconds) {
  const sample = (repetitions) => {
    const start = process.hrtime.bigint();
    for (let i = 0; i < repetitions; ++i) once();
    return Number(process.hrtime.bigint() - start);
  };
  const budget = milliseconds * 1e6, samples = [];
  let each = sample(1);
  if (each > budget / 4) samples.push(each);
  for (let spent = each; spent < budget / 8;) {
    const repetitions = Math.max(1, Math.floor(5e4 / each));
    const took = sample(repetitions);
    each = took / repetitions;
    spent += took;
  }
  const repetitions = Math.max(1, Math.floor(2e5 / each));
  for (let spent = samples.length ? each : 0; !samples.length || spent < budget;) {
    const took = sample(repetitions);
    samples.push(took / repetitions);
    spent += took;
  }
  return samples;
}

let run = null;
function answer(verb, argument) {
  switch (verb) {
    case 'about': return `about onnxruntime ${version}`;
    case 'jobs': return `jobs ${Object.keys(jobs).join(' ')}`;
    case 'prepare':
      run = null;
      if (!jobs[argument]) throw new Error(`unknown job ${argument}`);
      run = jobs[argument]();
      return 'ready';
    case 'results': return `results ${digest(run())}`;
    case 'run': return `ns ${measure(run, Number(argument)).join(' ')}`;
    case 'drop':
      run = null;
      return 'dropped';
    default: throw new Error(`unknown request ${verb}`);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  let out;
  try {
    out = answer(...line.split(' '));
  } catch (error) {
    out = `failed ${String(error).replaceAll('\n', ' ')}`;
  }
  process.stdout.write(out + '\n');
}
