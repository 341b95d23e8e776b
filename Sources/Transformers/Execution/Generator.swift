internal import Foundation
internal import Tensors

/// Continues a prompt token by token.
public struct Generator {
    private var pass: ForwardPass
    private var sampler: Sampler
    private var cache: KeyValueCache
    private var logits = Activations()

    /// Creates a generator for texts of up to `capacity` tokens, including the prompt.
    public init(_ pass: ForwardPass, sampler: Sampler, capacity: Int) {
        self.pass = pass
        self.pass.isGreedy = sampler.isGreedy
        self.sampler = sampler
        cache = KeyValueCache(for: pass.model, capacity: capacity)
    }

    /// Continues a prompt.
    ///
    /// - Parameters:
    ///   - prompt: The prompt, with at least one token.
    ///   - count: The maximum number of tokens to add.
    ///   - ends: The tokens at which generation stops. They are not passed to `body`.
    ///   - body: Called with each new token. It may throw an error to stop.
    /// - Throws: ``NonFiniteError`` if logits are not finite, and errors of `body`.
    public mutating func generate(
        after prompt: [Int32], count: Int, ends: Set<Int32> = [],
        _ body: (Int32) throws -> Void
    ) throws {
        cache.count = 0
        var tokens = prompt
        for _ in 0..<min(count, cache.capacity - prompt.count) {
            pass.advance(tokens, cache: &cache, logits: &logits)
            try NonFiniteError.check(
                logits.row(0), "the logits after \(cache.count) tokens")
            let token = sampler.next(logits.row(0))
            if ends.contains(token) { return }
            try body(token)
            tokens = [token]
        }
    }
}

extension Double {
    /// `e` to the power of this value.
    var exponential: Double { exp(self) }
}
