extension Family {
    /// Every family that is read, in the order in which messages list them.
    ///
    /// Where several families fit a file, the first one is taken.
    public static let all: [Family] = [
        .bert, .roberta, .xlmRoberta, .distilbert,
        .llama, .mistral, .qwen2, .qwen3,
        .gpt2, .opt,
        .stableLM,
    ]
}
