// As much of the host's graph as a swap uses: nodes with typed slots, links by id, subgraphs with borders.
const slot = ([name, type]) => ({ name, type });
const SAMPLING = { steps: 20, cfg: 7, sampler_name: "euler", scheduler: "simple" };
const CONDITIONED = [["model", "MODEL"], ["positive", "CONDITIONING"], ["negative", "CONDITIONING"]];
const LATENT = ["latent_image", "LATENT"];
const SEARCH = { seed: 0, control_after_generate: "fixed", pictures: 8, prompt: "", recipe: "" };
const SEARCH_OUTPUTS = [["LATENT", "LATENT"], ["IMAGE", "IMAGE"], ["seed", "INT"]];
const GUIDED = [["noise", "NOISE"], ["guider", "GUIDER"], ["sampler", "SAMPLER"], ["sigmas", "SIGMAS"], LATENT];
const DENOISED = [["output", "LATENT"], ["denoised_output", "LATENT"]];

// type: [sockets, widgets, outputs]
const TYPES = {
  Loader: [[], { name: "tiny" }, [["MODEL", "MODEL"], ["CLIP", "CLIP"], ["VAE", "VAE"]]],
  CLIPTextEncode: [[["clip", "CLIP"]], { text: "a cat" }, [["CONDITIONING", "CONDITIONING"]]],
  Writer: [[], {}, [["STRING", "STRING"]]],
  PrimitiveInt: [[], { value: 20 }, [["INT", "INT"]]],
  Reroute: [[["", "*"]], {}, [["", "*"]]],
  EmptyLatentImage: [[], { width: 64 }, [["LATENT", "LATENT"]]],
  KSampler: [[...CONDITIONED, LATENT], { seed: 5, control_after_generate: "randomize", ...SAMPLING, denoise: 1 }, [["LATENT", "LATENT"]]],
  KSamplerAdvanced: [[...CONDITIONED, LATENT], { add_noise: "enable", noise_seed: 5, control_after_generate: "fixed", ...SAMPLING, start_at_step: 0,
    end_at_step: 10000, return_with_leftover_noise: "disable" }, [["LATENT", "LATENT"]]],
  SamplerCustomAdvanced: [GUIDED, {}, DENOISED],
  SamplerCustom: [[...CONDITIONED, ["sampler", "SAMPLER"], ["sigmas", "SIGMAS"], LATENT], { add_noise: true, noise_seed: 5, cfg: 4 }, DENOISED],
  RandomNoise: [[], { noise_seed: 5, control_after_generate: "fixed" }, [["NOISE", "NOISE"]]],
  DisableNoise: [[], {}, [["NOISE", "NOISE"]]],
  CFGGuider: [CONDITIONED, { cfg: 4 }, [["GUIDER", "GUIDER"]]],
  KSamplerSelect: [[], { sampler_name: "" }, [["SAMPLER", "SAMPLER"]]],
  BasicScheduler: [[["model", "MODEL"]], { scheduler: "", steps: 20, denoise: 1 }, [["SIGMAS", "SIGMAS"]]],
  LatentUpscaleBy: [[["samples", "LATENT"]], { upscale_method: "bilinear", scale_by: 1.5 }, [["LATENT", "LATENT"]]],
  LatentUpscale: [[["samples", "LATENT"]], { width: 96 }, [["LATENT", "LATENT"]]],
  LTXVCropGuides: [[["positive", "CONDITIONING"], ["negative", "CONDITIONING"], ["latent", "LATENT"]], {},
    [["positive", "CONDITIONING"], ["negative", "CONDITIONING"], ["latent", "LATENT"]]],
  LTXVLatentUpsampler: [[["samples", "LATENT"], ["upscale_model", "LATENT_UPSCALE_MODEL"], ["vae", "VAE"]], {}, [["LATENT", "LATENT"]]],
  VAEDecode: [[["samples", "LATENT"], ["vae", "VAE"]], {}, [["IMAGE", "IMAGE"]]],
  VAEDecodeAudio: [[["samples", "LATENT"], ["vae", "VAE"]], {}, [["AUDIO", "AUDIO"]]],
  VAEEncode: [[["pixels", "IMAGE"], ["vae", "VAE"]], {}, [["LATENT", "LATENT"]]],
  SaveImage: [[["images", "IMAGE"]], {}, []],
  NoiseSearch: [[...CONDITIONED, LATENT, ["vae", "VAE"], ["verifier", "VERIFIER"]], { ...SEARCH, ...SAMPLING, denoise: 1 }, SEARCH_OUTPUTS],
  RandomSearch: [[["sampling", "SAMPLING"], ["verifier", "VERIFIER"], ["noise", "NOISE"]], SEARCH, SEARCH_OUTPUTS],
  SamplingSetup: [[...CONDITIONED, LATENT, ["vae", "VAE"]], { ...SAMPLING, denoise: 1 }, [["sampling", "SAMPLING"]]],
  SamplingSetupCustom: [[...GUIDED.slice(1), ["vae", "VAE"]], { hands_on: "output" }, [["sampling", "SAMPLING"]]],
  SamplingSetupTwoStage: [[["model_high", "MODEL"], ["model_low", "MODEL"], ...CONDITIONED.slice(1), LATENT, ["vae", "VAE"], ["positive_low", "CONDITIONING"],
    ["negative_low", "CONDITIONING"]], { ...SAMPLING, switch_step: 10, cfg_low: 0, seed_low: -1 }, [["sampling", "SAMPLING"]]],
  SamplingSetupTwoGuiders: [[["guider_high", "GUIDER"], ["guider_low", "GUIDER"], ["sampler", "SAMPLER"], ["sigmas_high", "SIGMAS"], ["sigmas_low", "SIGMAS"],
    LATENT, ["vae", "VAE"], ["sampler_low", "SAMPLER"]], { seed_low: 9, hands_on: "output" }, [["sampling", "SAMPLING"]]],
  SamplingSetupHires: [[["sampling", "SAMPLING"]], { scale_by: 2, upscale_method: "", steps: 20, sampler_name: "", scheduler: "", denoise: 0.5 }, [["sampling", "SAMPLING"]]],
  SamplingSetupSecondStage: [[["sampling", "SAMPLING"], ["guider", "GUIDER"], ["sampler", "SAMPLER"], ["sigmas", "SIGMAS"], ["upscale_model", "LATENT_UPSCALE_MODEL"],
    ["first_frame", "IMAGE"]], { scale_by: 1, upscale_method: "", strength: 1, seed_second: -1, hands_on: "output" }, [["sampling", "SAMPLING"]]],
};

class Node {
  constructor(type) {
    const [sockets, widgets, outputs] = TYPES[type];
    this.type = this.title = type;
    Object.assign(this, { mode: 0, pos: [0, 0], size: [200, 100], properties: {} });
    this.widgets = Object.entries(widgets).map(([name, value]) => ({ name, value }));
    this.inputs = [...sockets.map(slot), ...this.widgets.map(({ name, value }) => slot([name, typeof value === "string" ? "STRING" : "INT"]))].map((input) => ({ ...input, link: null }));
    this.outputs = outputs.map((output) => ({ ...slot(output), links: [] }));
  }
  connect(place, target, at) { this.graph.link([this.id, place], [target.id, at], this.outputs[place].links, target.inputs[at]); }
}

const KINDS = Object.fromEntries(Object.keys(TYPES).map((type) => [type, class extends Node { static title = type; }]));

export const create = (type) => new KINDS[type](type);

export class Graph {
  nodes = [];
  links = {};
  next = 1;
  add(node) {
    node.graph = this;
    node.id ??= this.next++;
    this.nodes.push(node);
    return node;
  }
  getNodeById(id) { return this.nodes.find((node) => node.id === id); }
  link([origin_id, origin_slot], [target_id, target_slot], leaving, input) {
    if (input.link) this.cut(input.link);
    const id = Math.max(0, ...Object.keys(this.links).map(Number)) + 1;
    this.links[id] = { id, origin_id, origin_slot, target_id, target_slot };
    leaving.push(id);
    if ("linkIds" in input) input.linkIds.push(id);
    else input.link = id;
  }
  cut(id) {
    const { origin_id, origin_slot, target_id, target_slot } = this.links[id];
    const from = this.getNodeById(origin_id)?.outputs[origin_slot].links ?? this.inputs[origin_slot].linkIds;
    from.splice(from.indexOf(id), 1);
    const to = this.getNodeById(target_id)?.inputs[target_slot];
    if (to) to.link = null;
    else this.outputs[target_slot].linkIds.length = 0;
    delete this.links[id];
  }
  remove(node) {
    for (const [id, link] of Object.entries(this.links)) if (link.origin_id === node.id || link.target_id === node.id) this.cut(Number(id));
    this.nodes.splice(this.nodes.indexOf(node), 1);
    node.graph = null;
  }
}

// A subgraph; its node is made by `makeHolder`. A widget that is linked to its border is shown there, and is gone with the last link.
export class Subgraph extends Graph {
  link(from, to, leaving, input) {
    super.link(from, to, leaving, input);
    const shown = this.inputs[from[1]], inner = from[0] === -10 && this.getNodeById(to[0]).widgets.find(({ name }) => name === input.name);
    if (inner && !this.holder.widgets.some(({ name }) => name === shown.name)) this.holder.widgets.push({ name: shown.name, value: inner.value });
  }
  cut(id) {
    const shown = this.links[id].origin_id === -10 && this.inputs[this.links[id].origin_slot];
    super.cut(id);
    if (shown && !shown.linkIds.length) this.holder.widgets = this.holder.widgets.filter(({ name }) => name !== shown.name);
  }
  inputs = [];
  outputs = [];
  inputNode = { id: -10, slots: this.inputs };
  outputNode = { id: -20, slots: this.outputs };
  addInput(name, type) {
    const input = { id: `input ${name}`, name, type, linkIds: [], connect: (socket, node) => this.link([-10, this.inputs.indexOf(input)], [node.id, node.inputs.indexOf(socket)], input.linkIds, socket) };
    this.inputs.push(input);
    this.holder?.inputs.push({ name, type, link: null });
    return input;
  }
  removeInput(input) {
    const place = this.inputs.indexOf(input), socket = this.holder.inputs[place];
    if (socket.link) this.holder.graph.cut(socket.link);
    this.inputs.splice(place, 1);
    this.holder.inputs.splice(place, 1);
  }
  addOutput(name, type) {
    const output = { name, type, linkIds: [], connect: (socket, node) => this.link([node.id, node.outputs.indexOf(socket)], [-20, this.outputs.indexOf(output)], socket.links, output) };
    this.outputs.push(output);
    this.holder?.outputs.push({ name, type, links: [] });
    return output;
  }
  makeHolder() {
    this.holder = Object.assign(Object.create(Node.prototype), { type: "subgraph", subgraph: this, mode: 0, pos: [0, 0], size: [200, 100], widgets: [], inputs: [], outputs: [] });
    return this.holder;
  }
}

// Puts a node into a graph. wires: { input: [node, place] }, values: { widget: value }.
export function put(graph, type, wires = {}, values = {}) {
  const node = graph.add(create(type));
  for (const [name, [from, place = 0]] of Object.entries(wires)) from.connect(place, node, node.inputs.findIndex((input) => input.name === name));
  for (const widget of node.widgets) if (widget.name in values) widget.value = values[widget.name];
  return node;
}

// What lies behind a node, readable: { type, values, and for each linked input what it is linked to }.
export const behind = (node, name) => {
  const link = node.graph.links[node.inputs.find((input) => input.name === name)?.link];
  return link && [node.graph.getNodeById(link.origin_id) ?? node.graph.inputs[link.origin_slot].name, link.origin_slot];
};

export const value = (node, name) => node.widgets.find((widget) => widget.name === name).value;
