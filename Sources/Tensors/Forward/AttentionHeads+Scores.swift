internal import CKernels

extension AttentionHeads {
    /// The changes of scores; nil if scores are scaled products with all keys up to a query's own.
    var rule: ck_scores? {
        guard window != nil || cap != nil else { return nil }
        return ck_scores(window: window ?? 0, cap: cap ?? 0, bias: nil)
    }

    /// The first key that the query at a position sees.
    func firstKey(of position: Int) -> Int { window.map { max(0, position + 1 - $0) } ?? 0 }
}

extension ck_scores? {
    /// Calls a closure with the address of the rule; nil if there is none.
    func withAddress<Result>(_ body: (UnsafePointer<ck_scores>?) -> Result) -> Result {
        guard let rule = self else { return body(nil) }
        return withUnsafePointer(to: rule) { body($0) }
    }
}
