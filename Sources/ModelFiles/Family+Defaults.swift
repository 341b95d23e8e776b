extension HuggingFaceConfig.Family {
    /// `max_position_embeddings` of a configuration that gives none.
    var usualPositions: Int {
        switch self {
        case .bert, .roberta, .xlmRoberta, .distilbert: 512
        case .gpt2: 1024
        case .llama, .opt: 2048
        case .mistral: 131_072
        case .qwen2, .qwen3: 32_768
        }
    }

    /// `num_key_value_heads` of a configuration that gives none; nil for as many as query heads.
    var usualKeyValueHeads: Int? {
        switch self {
        case .mistral: 8
        case .qwen2, .qwen3: 32
        default: nil
        }
    }

    /// `bos_token_id` and `eos_token_id` of a configuration that gives none.
    var usualEnds: (beginning: [Int], end: [Int]) {
        switch self {
        case .bert, .distilbert, .qwen2, .qwen3: ([], [])
        case .roberta, .xlmRoberta: ([0], [2])
        case .gpt2: ([50256], [50256])
        case .opt: ([2], [2])
        case .llama, .mistral: ([1], [2])
        }
    }

    /// Models of this type that many people use.
    var examples: String {
        switch self {
        case .bert: "bert-base-uncased, all-MiniLM-L6-v2, BGE, E5"
        case .roberta: "roberta-base, all-distilroberta-v1"
        case .xlmRoberta: "xlm-roberta-base, multilingual E5, BGE-M3"
        case .distilbert: "distilbert-base-uncased"
        case .llama: "SmolLM2, TinyLlama, Llama 2 and 3"
        case .mistral: "Mistral 7B"
        case .qwen2: "Qwen2, Qwen2.5"
        case .qwen3: "Qwen3, Qwen3-Embedding"
        case .gpt2: "gpt2, distilgpt2"
        case .opt: "OPT but for 350m"
        }
    }
}
