internal import CKernels

extension AttentionHeads {
    /// The window and the soft cap of the scores; nil without both.
    var rule: ck_scores? {
        guard window != nil || cap != nil else { return nil }
        return ck_scores(window: window ?? 0, cap: cap ?? 0, bias: nil)
    }

    /// Returns the first key that the query at a position attends to.
    func firstKey(of position: Int) -> Int { window.map { max(0, position + 1 - $0) } ?? 0 }
}

extension ck_scores? {
    /// Calls `body` with the address of the rule, or with nil if there is no rule.
    func withAddress<Result>(_ body: (UnsafePointer<ck_scores>?) -> Result) -> Result {
        guard let rule = self else { return body(nil) }
        return withUnsafePointer(to: rule) { body($0) }
    }
}
