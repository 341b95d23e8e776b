extension Family {
    /// All supported families, in the order in which messages list them.
    ///
    /// If several families fit a file, the first one is used.
    public static let all: [Family] = [
        .bert, .roberta, .xlmRoberta, .distilbert,
        .llama, .mistral, .qwen2, .qwen3,
        .gpt2, .opt,
        .stableLM, .granite, .phi3, .smolLM3, .gemma3, .gemma2,
        .bloom, .mpnet,
    ]
}
