internal import ModelFiles
public import Transformers

/// The Python module that lets `transformers` load a model whose layers differ in size.
///
/// It is written beside `config.json` if stock `transformers` cannot load the model. `auto_map`
/// names its classes, and `from_pretrained(directory, trust_remote_code=True)` builds each layer
/// with the sizes in `espalier_layers`. It has no code for single families: `espalier_modules`
/// names the parts of a layer. It requires transformers 4.40 or later; `scripts/check-remote-code`
/// tests it against masked dense models.
public enum ModelingEspalier {
    /// The name under which the module is written.
    public static let fileName = "modeling_espalier.py"

    /// The entries of `auto_map` in the `config.json` of one family.
    ///
    /// - Parameters:
    ///   - family: The family.
    ///   - head: The model's head.
    /// - Returns: The module's class for each auto class.
    public static func autoMap(
        for family: Family, head: TaskHead = .base
    ) -> [String: String] {
        var classes = ["AutoConfig": "Config", "AutoModel": "Model"]
        if family.architecture.isCausal { classes["AutoModelForCausalLM"] = "ForCausalLM" }
        if head != .base { classes["AutoModel" + head.rawValue] = head.rawValue }
        return classes.mapValues { "modeling_espalier.Espalier\(family.className)\($0)" }
    }

    /// The member of `config.json` that names the modules of a layer.
    static let modulesMember: JSONKey = "espalier_modules"

    /// The names of the modules of a layer in `transformers`.
    ///
    /// - Parameter family: The family.
    /// - Returns: The path of the list of layers inside the body, and paths inside a layer. Norms
    ///   are included if they are removed together with their branches.
    static func modules(of family: Family) -> JSONValue {
        let names = family.bodyTensorNames
        var modules = [
            "layers": String(names.layerPrefix(0).dropLast(".0.".count)), "query": names.query,
            "key": names.key, "value": names.value, "output": names.output, "up": names.up,
            "down": names.down,
        ]
        modules["gate"] = names.gate
        if !family.architecture.layer.normPlace.normalisesSum {
            modules["attention_norm"] = names.attentionNorm
            modules["feed_forward_norm"] = names.feedForwardNorm
        }
        modules["attention_output_norm"] = names.attentionOutputNorm
        modules["feed_forward_output_norm"] = names.feedForwardOutputNorm
        return .object(ofStrings: modules)
    }

    /// The module's text.
    public static let source = #"""
        """Loads a model pruned by Espalier, whose layers may differ in size.

        `espalier_layers` in config.json has the layers whose sizes differ from the sizes at its top level:

            {"5": {"intermediate_size": 960},
             "11": {"num_attention_heads": 6, "num_key_value_heads": 2},
             "23": {"skip": ["mlp"]}, "7": {"skip": ["attention"]}}

        A skipped branch has no weights and adds nothing to the residual stream. If the scores of heads
        have terms of their own, `attention_heads` lists the kept heads; without it they are the first.
        `espalier_modules` has the names of modules: of the list of layers in the body, and of the
        projections in a layer.
        """

        import collections
        import copy
        import dis
        import inspect
        import re

        import torch
        import transformers
        from torch import nn
        from transformers.pytorch_utils import Conv1D


        class Zero(nn.Module):
            """Replaces the last projection of a removed branch: returns zeros of the same shape."""

            def __init__(self, linear):
                super().__init__()
                self.width = linear.nf if isinstance(linear, Conv1D) else linear.out_features

            def forward(self, x):
                return x.new_zeros(*x.shape[:-1], self.width)


        class NoAttention(nn.Module):
            """Replaces a removed attention block: returns zeros, and does not change the cache.

            If the attention adds the residual stream to its output, that is given instead of zeros.
            """

            def __init__(self, attention, results):
                super().__init__()
                self.results = results
                self.adds_residual = "residual" in inspect.signature(attention.forward).parameters

            def forward(self, hidden_states=None, *args, query=None, past_key_value=None, **kwargs):
                x = query if hidden_states is None else hidden_states
                output = args[0] if self.adds_residual else torch.zeros_like(x)
                return (output, None, past_key_value)[: self.results]


        def owner(module, path):
            """Returns the parent of the module at a path, and the name of the module in its parent."""
            *parents, name = path.split(".")
            for parent in parents:
                module = getattr(module, parent)
            return module, name


        def part(module, path):
            return getattr(*owner(module, path))


        def replace(module, path, new):
            setattr(*owner(module, path), new)


        def count_results(module, name):
            """Returns how many results a module expects of one of its parts, in this version of transformers."""
            # The byte code is read, because some installations have no sources.
            code = list(dis.get_instructions(inspect.unwrap(type(module).forward)))
            for index, load in enumerate(code):
                if load.opname in ("LOAD_ATTR", "LOAD_METHOD") and load.argval == name:
                    for step in code[index:]:
                        if step.opname == "UNPACK_SEQUENCE":
                            return step.argval
                        if step.opname.startswith("STORE_"):
                            break
            return 2


        def resized(linear, inputs=None, outputs=None, bias=False):
            """Returns a new linear layer like another layer, with other sizes or with a bias."""
            if isinstance(linear, Conv1D):
                rows, columns = linear.weight.shape
                return Conv1D(outputs or columns, inputs or rows).to(linear.weight)
            return nn.Linear(
                inputs or linear.in_features,
                outputs or linear.out_features,
                bias=bias or linear.bias is not None,
                device=linear.weight.device,
                dtype=linear.weight.dtype,
            )


        def shape_attention(layer, names, heads, groups, head_dim):
            """Changes the numbers of query heads and of key-value heads of an attention block."""
            width, group_width = heads * head_dim, groups * head_dim
            outputs = {}  # Queries, keys and values may be one projection.
            for name, size in ("query", width), ("key", group_width), ("value", group_width):
                outputs[names[name]] = outputs.get(names[name], 0) + size
            for path, size in outputs.items():
                replace(layer, path, resized(part(layer, path), outputs=size))
            replace(layer, names["output"], resized(part(layer, names["output"]), inputs=width))
            attention = owner(layer, names["query"])[0]
            sizes = dict.fromkeys(("num_heads", "n_heads", "num_attention_heads"), heads)
            sizes |= dict.fromkeys(
                ("hidden_size", "all_head_size", "split_size", "embed_dim", "dim"), width)
            sizes |= {"num_key_value_heads": groups, "num_key_value_groups": heads // groups}
            for name, size in sizes.items():
                if hasattr(attention, name):
                    setattr(attention, name, size)
            if len(outputs) == 1 and hasattr(attention, "config"):
                # Some classes split the projection by the configuration.
                attention.config = copy.copy(attention.config)
                attention.config.num_attention_heads = heads


        def keep_terms(attention, kept, heads):
            """Selects the kept heads in the terms of scores, if an attention is given terms of all heads."""
            parameters = list(inspect.signature(attention.forward).parameters)
            name = next((n for n in ("alibi", "position_bias") if n in parameters), None)

            def select(terms):
                # The terms of ALiBi have one dimension for sequences and heads.
                index = torch.tensor(kept, device=terms.device)
                if terms.ndim == 3:
                    return terms.unflatten(0, (-1, heads))[:, index].flatten(0, 1)
                return terms[:, index]

            def hook(module, arguments, keywords):
                arguments = list(arguments)
                holder, key = arguments, parameters.index(name)
                if name in keywords:
                    holder, key = keywords, name
                holder[key] = select(holder[key])
                return tuple(arguments), keywords

            if name:
                attention.register_forward_pre_hook(hook, with_kwargs=True)


        def remove_attention(layer, names):
            """Removes an attention block, and its norms if `names` has them."""
            path = names["query"].rpartition(".")[0]
            replace(layer, path, NoAttention(part(layer, path), count_results(*owner(layer, path))))
            if not names["output"].startswith(path + "."):
                replace(layer, names["output"], Zero(part(layer, names["output"])))
            for norm in "attention_norm", "attention_output_norm":
                if norm in names:
                    replace(layer, names[norm], nn.Identity())


        def shape_layers(model, config):
            """Gives every layer of a body its own sizes, before the weights are read."""
            names = config.espalier_modules
            # Gate and up may be one projection.
            incoming = collections.Counter(names[name] for name in ("gate", "up") if name in names)
            cached = 0
            # Layers of several types have caches of several types, each at the index of its layer.
            types = getattr(config, "layer_types", None) or []
            is_mixed = len(set(types)) > 1
            removed = {i for i, sizes in config.layer_sizes.items() if "attention" in sizes.get("skip", ())}
            first = next((i for i in range(len(types)) if i not in removed), 0)
            if is_mixed and removed:
                # A removed attention block may have any type. Each cache type counts tokens in its first layer.
                config.layer_types = [types[first] if i in removed else t for i, t in enumerate(types)]
            for index, layer in enumerate(part(model, names["layers"])):
                sizes = config.layer_sizes.get(index, {})
                skip = sizes.get("skip", ())
                if getattr(config, "output_bias", False):
                    for path in names["output"], names["down"]:
                        replace(layer, path, resized(part(layer, path), bias=True))
                if "attention" in skip:
                    remove_attention(layer, names)
                else:
                    # The cache counts positions in its layer 0, so layer 0 must have attention.
                    place = (0 if index == first else index) if is_mixed else cached
                    owner(layer, names["query"])[0].layer_idx = place
                    cached += 1
                    if "num_attention_heads" in sizes:
                        heads = sizes["num_attention_heads"]
                        usual = getattr(config, "num_key_value_heads", heads)
                        groups = sizes.get("num_key_value_heads", usual)
                        shape_attention(layer, names, heads, groups, config.head_dim)
                        kept = sizes.get("attention_heads", range(heads))
                        keep_terms(
                            owner(layer, names["query"])[0], list(kept), config.num_attention_heads)
                if "mlp" in skip:
                    for path in incoming:
                        replace(layer, path, nn.Identity())
                    replace(layer, names["down"], Zero(part(layer, names["down"])))
                    for norm in "feed_forward_norm", "feed_forward_output_norm":
                        if norm in names:
                            replace(layer, names[norm], nn.Identity())
                elif "intermediate_size" in sizes:
                    width = sizes["intermediate_size"]
                    for path, count in incoming.items():
                        replace(layer, path, resized(part(layer, path), outputs=count * width))
                    replace(layer, names["down"], resized(part(layer, names["down"]), inputs=width))
                    block = owner(layer, names["down"])[0]
                    if hasattr(block, "intermediate_size"):
                        block.intermediate_size = width


        def configuration(family):
            class Config(getattr(transformers, f"{family}Config")):
                def __init__(self, espalier_layers=None, **kwargs):
                    super().__init__(**kwargs)
                    self.layer_sizes = {int(k): dict(v) for k, v in (espalier_layers or {}).items()}

                def to_dict(self):
                    dictionary = super().to_dict()
                    sizes = dictionary.pop("layer_sizes", {})
                    dictionary["espalier_layers"] = {str(k): v for k, v in sorted(sizes.items())}
                    return dictionary

            return Config


        def model(family, kind):
            config = find(f"Espalier{family}Config")
            stock = getattr(transformers, f"{family}{kind}", None)
            if stock is None and kind == "ForCausalLM":
                names = transformers.models.auto.modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
                stock = getattr(transformers, names[config.model_type])

            class Model(stock):
                config_class = config

                def __init__(self, config, *arguments, **settings):
                    super().__init__(config, *arguments, **settings)
                    shape_layers(self.base_model, config)

                def _get_static_cache_init_shape(self):
                    return None  # Layers differ, so the first input says how large a cache is.

            return Model


        def find(name):
            return globals().get(name) or __getattr__(name)


        def __getattr__(name):
            """Makes a class that `auto_map` names: `Espalier`, the family, and the kind of class."""
            match = re.fullmatch(r"Espalier(\w+?)(Config|Model|For\w+)", name)
            if not match:
                raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
            family, kind = match.groups()
            made = configuration(family) if kind == "Config" else model(family, kind)
            made.__name__ = made.__qualname__ = name
            made.register_for_auto_class(
                "AutoConfig" if kind == "Config" else f"AutoModel{kind.removeprefix('Model')}")
            globals()[name] = made
            return made

        """#
}
