internal import ModelFiles
public import Transformers

/// The Python module that lets `transformers` load a model whose layers differ in size.
///
/// It stands beside `config.json` in every emitted directory, whose `auto_map` names its classes;
/// `from_pretrained(directory, trust_remote_code=True)` then builds each layer with the sizes that
/// `espalier_layers` gives. It works from transformers 4.40 on; `scripts/check-remote-code` tests
/// it against masked dense models.
public enum ModelingEspalier {
    /// The name under which the module is written.
    public static let fileName = "modeling_espalier.py"

    /// The entries of `auto_map` in the `config.json` of one family.
    ///
    /// - Parameters:
    ///   - family: The family.
    ///   - head: The model's head.
    /// - Returns: The module's class for each of the automatic ones.
    public static func autoMap(
        for family: Family, head: TaskHead = .base
    ) -> [String: String] {
        var classes = ["AutoConfig": "Config", "AutoModel": "Model"]
        if family.architecture.isCausal { classes["AutoModelForCausalLM"] = "ForCausalLM" }
        if head != .base { classes["AutoModel" + head.rawValue] = head.rawValue }
        return classes.mapValues { "modeling_espalier.Espalier\(family.className)\($0)" }
    }

    /// The module's text.
    public static let source = #"""
        """Loads a model pruned by Espalier, whose layers may differ in size.

        `espalier_layers` in config.json names the layers that differ from the other sizes there:

            {"5": {"intermediate_size": 960},
             "11": {"num_attention_heads": 6, "num_key_value_heads": 2},
             "23": {"skip": ["mlp"]}, "7": {"skip": ["attention"]}}

        A skipped branch has no weights and adds nothing to the residual stream.
        """

        import torch
        import transformers
        from packaging.version import Version
        from torch import nn
        from transformers.pytorch_utils import Conv1D

        ENCODER_HEADS = (
            "ForMaskedLM", "ForPreTraining", "ForNextSentencePrediction",
            "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering",
            "ForMultipleChoice",
        )
        # Before 4.48 a decoder layer also expects the cache back from its attention.
        DECODER_ATTENTION_RESULTS = 3 if Version(transformers.__version__) < Version("4.48") else 2


        class Zero(nn.Module):
            """Stands where a branch was: gives zeros of its input's shape."""

            def forward(self, x):
                return torch.zeros_like(x)


        class NoAttention(nn.Module):
            """Stands where an attention was: gives zeros, and the cache untouched."""

            def __init__(self, results):
                super().__init__()
                self.results = results

            def forward(self, hidden_states, *args, past_key_value=None, **kwargs):
                return (torch.zeros_like(hidden_states), None, past_key_value)[: self.results]


        def resized(linear, inputs=None, outputs=None, bias=False):
            """A fresh linear layer like another, of other sizes, or with a bias."""
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


        def shape_decoder(model, config):
            """Gives every layer of a decoder its own size, before the weights are read."""
            cached = 0
            for index, layer in enumerate(model.layers):
                sizes = config.layer_sizes.get(index, {})
                skip = sizes.get("skip", ())
                attention, mlp = layer.self_attn, layer.mlp
                if getattr(config, "output_bias", False):
                    attention.o_proj = resized(attention.o_proj, bias=True)
                    mlp.down_proj = resized(mlp.down_proj, bias=True)
                if "attention" in skip:
                    layer.self_attn = NoAttention(DECODER_ATTENTION_RESULTS)
                    layer.input_layernorm = nn.Identity()
                else:
                    # The cache counts positions in its layer 0, so that must be an attention.
                    attention.layer_idx = cached
                    cached += 1
                if "attention" not in skip and "num_attention_heads" in sizes:
                    heads = sizes["num_attention_heads"]
                    groups = sizes.get("num_key_value_heads", config.num_key_value_heads)
                    width, kv_width = heads * attention.head_dim, groups * attention.head_dim
                    attention.q_proj = resized(attention.q_proj, outputs=width)
                    attention.k_proj = resized(attention.k_proj, outputs=kv_width)
                    attention.v_proj = resized(attention.v_proj, outputs=kv_width)
                    attention.o_proj = resized(attention.o_proj, inputs=width)
                    attention.num_heads, attention.num_key_value_heads = heads, groups
                    attention.num_key_value_groups = heads // groups
                    attention.hidden_size = width
                if "mlp" in skip:
                    layer.mlp, layer.post_attention_layernorm = Zero(), nn.Identity()
                elif "intermediate_size" in sizes:
                    width = sizes["intermediate_size"]
                    mlp.gate_proj = resized(mlp.gate_proj, outputs=width)
                    mlp.up_proj = resized(mlp.up_proj, outputs=width)
                    mlp.down_proj = resized(mlp.down_proj, inputs=width)
                    mlp.intermediate_size = width


        def shape_encoder(model, config):
            """Gives every layer of an encoder its own size; the norms of skipped branches stay."""
            for index, layer in enumerate(model.encoder.layer):
                sizes = config.layer_sizes.get(index, {})
                skip = sizes.get("skip", ())
                attention, projection = layer.attention.self, layer.attention.output
                if "attention" in skip:
                    layer.attention.self, projection.dense = NoAttention(2), Zero()
                elif "num_attention_heads" in sizes:
                    attention.num_attention_heads = sizes["num_attention_heads"]
                    width = attention.num_attention_heads * attention.attention_head_size
                    attention.all_head_size = width
                    attention.query = resized(attention.query, outputs=width)
                    attention.key = resized(attention.key, outputs=width)
                    attention.value = resized(attention.value, outputs=width)
                    projection.dense = resized(projection.dense, inputs=width)
                if "mlp" in skip:
                    layer.intermediate, layer.output.dense = nn.Identity(), Zero()
                elif "intermediate_size" in sizes:
                    width = sizes["intermediate_size"]
                    layer.intermediate.dense = resized(layer.intermediate.dense, outputs=width)
                    layer.output.dense = resized(layer.output.dense, inputs=width)


        def shape_layers(layers, config, attention, projections, attention_norm, mlp, up, down,
                         mlp_norm):
            """Gives every layer of models with as many key-value heads as heads its own size.

            The names are of the attention and its projections, the last of which goes out, of the
            feed-forward block, None where the layer is it, and of norms that go with their branches.
            """
            cached = 0
            for index, layer in enumerate(layers):
                sizes = config.layer_sizes.get(index, {})
                skip = sizes.get("skip", ())
                module = getattr(layer, attention)
                if "attention" in skip:
                    setattr(layer, attention, NoAttention(2))
                    if attention_norm:
                        setattr(layer, attention_norm, nn.Identity())
                else:
                    module.layer_idx = cached
                    cached += 1
                if "attention" not in skip and "num_attention_heads" in sizes:
                    heads = sizes["num_attention_heads"]
                    width = heads * config.head_dim
                    *inner, outer = projections
                    for name in inner:  # One of them may hold queries, keys and values.
                        setattr(module, name,
                                resized(getattr(module, name), outputs=3 * width // len(inner)))
                    setattr(module, outer, resized(getattr(module, outer), inputs=width))
                    module.num_heads = module.n_heads = heads
                    module.split_size = module.embed_dim = module.dim = width
                block = getattr(layer, mlp) if mlp else layer
                if "mlp" in skip:
                    setattr(block, up, nn.Identity())
                    setattr(block, down, Zero())
                    if mlp_norm:
                        setattr(layer, mlp_norm, nn.Identity())
                elif "intermediate_size" in sizes:
                    width = sizes["intermediate_size"]
                    setattr(block, up, resized(getattr(block, up), outputs=width))
                    setattr(block, down, resized(getattr(block, down), inputs=width))


        def shape_gpt2(model, config):
            shape_layers(model.h, config, "attn", ("c_attn", "c_proj"), "ln_1", "mlp", "c_fc",
                         "c_proj", "ln_2")


        def shape_opt(model, config):
            projections = "q_proj", "k_proj", "v_proj", "out_proj"
            shape_layers(model.decoder.layers, config, "self_attn", projections,
                         "self_attn_layer_norm", None, "fc1", "fc2", "final_layer_norm")


        def shape_distilbert(model, config):
            projections = "q_lin", "k_lin", "v_lin", "out_lin"
            shape_layers(model.transformer.layer, config, "attention", projections, None, "ffn",
                         "lin1", "lin2", None)


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


        def publish(family, **classes):
            """Gives classes the names under which `auto_map` has them."""
            for automatic, made in classes.items():
                made.__name__ = made.__qualname__ = f"Espalier{family}{made.__name__}"
                globals()[made.__name__] = made
                made.register_for_auto_class(automatic)


        def publish_decoder(family, shape=shape_decoder, head=None):
            config = configuration(family)

            class Model(getattr(transformers, f"{family}Model")):
                config_class = config

                def __init__(self, config):
                    super().__init__(config)
                    shape(self, config)

            class ForCausalLM(getattr(transformers, head or f"{family}ForCausalLM")):
                config_class = config

                def __init__(self, config):
                    super().__init__(config)
                    shape(self.base_model, config)

                def _get_static_cache_init_shape(self):
                    return None  # Layers differ, so the first input says how large a cache is.

            publish(family, AutoConfig=config, AutoModel=Model, AutoModelForCausalLM=ForCausalLM)


        def publish_encoder(family, shape=shape_encoder):
            config = configuration(family)

            class Model(getattr(transformers, f"{family}Model")):
                config_class = config

                def __init__(self, config, *pooling, **settings):
                    super().__init__(config, *pooling, **settings)
                    shape(self, config)

            def with_head(name):
                class Headed(getattr(transformers, f"{family}{name}")):
                    config_class = config

                    def __init__(self, config):
                        super().__init__(config)
                        shape(self.base_model, config)

                Headed.__name__ = name
                return Headed

            heads = [head for head in ENCODER_HEADS if hasattr(transformers, f"{family}{head}")]
            publish(family, AutoConfig=config, AutoModel=Model,
                    **{f"AutoModel{name}": with_head(name) for name in heads})


        for family in ("Llama", "Mistral", "Qwen2", "Qwen3"):
            if hasattr(transformers, f"{family}Config"):
                publish_decoder(family)
        publish_decoder("GPT2", shape_gpt2, "GPT2LMHeadModel")
        publish_decoder("OPT", shape_opt)
        for family in ("Bert", "Roberta", "XLMRoberta"):
            publish_encoder(family)
        publish_encoder("DistilBert", shape_distilbert)

        """#
}
